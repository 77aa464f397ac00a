// For AWS Lambda: function URLs, API Gateway (both payload formats) and load balancers.
//
//     export const handler = lambda(receiver, { onCall: async (event) => { … } });
//
// Functions share no memory: give the receiver a `repeats` store outside, such as DynamoDB.

import { headersOf, type Handlers, type Receiver } from "./receiver.js";
import { BodyWasParsed } from "./refusal.js";

const ADVICE =
  "in API Gateway, use a proxy integration (`AWS_PROXY`) without a mapping template, so that the function gets the body " +
  "as text";

/** What the gateways hand to a function. */
export interface LambdaEvent {
  body?: unknown;
  isBase64Encoded?: boolean;
  headers?: Record<string, string | undefined> | null;
  multiValueHeaders?: Record<string, string[] | undefined> | null;
  httpMethod?: string;
  requestContext?: unknown;
}

/** What they take for an answer. */
export interface LambdaAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

/** A function's handler. */
export function lambda(receiver: Receiver, handlers: Handlers) {
  return async (event: LambdaEvent): Promise<LambdaAnswer> => {
    const context = event.requestContext as { http?: { method?: string } } | undefined;
    const method = event.httpMethod ?? context?.http?.method ?? "POST";
    if (method !== "POST") return { statusCode: 405, headers: { Allow: "POST" }, body: "events are sent with POST\n" };
    const isText = typeof event.body === "string" || event.body === undefined || event.body === null;
    const answer = isText
      ? await receiver.receive(bodyOf(event), event.headers ?? event.multiValueHeaders ?? undefined, handlers)
      : receiver.refuse(new BodyWasParsed(ADVICE));
    return { statusCode: answer.status, headers: headersOf(answer), body: answer.message + "\n" };
  };
}

function bodyOf(event: LambdaEvent): string | Uint8Array {
  const text = (event.body ?? "") as string;
  return event.isBase64Encoded ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : text;
}
