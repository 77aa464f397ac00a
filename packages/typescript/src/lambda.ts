// For AWS Lambda: function URLs, API Gateway (both payload formats) and load balancers.
//
//     export const handler = lambda(receiver, { onCall: async (event) => { … } });
//
// Functions share no memory: give the receiver a `repeats` store outside, such as DynamoDB.

import { headersOf, type Answer, type Handlers, type Receiver } from "./receiver.js";
import { BodyWasParsed, Refusal } from "./refusal.js";

const ADVICE =
  "in API Gateway, use a proxy integration (`AWS_PROXY`) without a mapping template, so that the function gets the body " +
  "as text";

/** What the gateways hand to a function. */
export interface LambdaEvent {
  body?: unknown;
  isBase64Encoded?: boolean | undefined;
  headers?: Record<string, string | undefined> | null | undefined;
  multiValueHeaders?: Record<string, string[] | undefined> | null | undefined;
  httpMethod?: string | undefined;
  requestContext?: unknown;
}

/** What they take for an answer. */
export interface LambdaAnswer {
  statusCode: number;
  /** A load balancer wants it said. */
  isBase64Encoded: false;
  headers: Record<string, string>;
  /** For a load balancer that was told to hand over headers with several values: it takes no others. */
  multiValueHeaders?: Record<string, string[]>;
  body: string;
}

/** A function's handler. */
export function lambda(receiver: Receiver, handlers: Handlers) {
  return async (event: LambdaEvent): Promise<LambdaAnswer> => {
    const answer = await answerTo(event, receiver, handlers);
    const headers = headersOf(answer);
    const body = answer.message + "\n";
    const one: LambdaAnswer = { statusCode: answer.status, isBase64Encoded: false, headers, body };
    if (event.headers || !event.multiValueHeaders) return one;
    return { ...one, multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])) };
  };
}

async function answerTo(event: LambdaEvent, receiver: Receiver, handlers: Handlers): Promise<Answer> {
  const context = event.requestContext as { http?: { method?: string } } | undefined;
  const method = event.httpMethod ?? context?.http?.method ?? "POST";
  if (method !== "POST") return { status: 405, message: "events are sent with POST" };
  let body: string | Uint8Array;
  try {
    body = bodyOf(event);
  } catch (error) {
    return receiver.refuse(error);
  }
  return receiver.receive(body, event.headers ?? event.multiValueHeaders ?? undefined, handlers);
}

function bodyOf({ body, isBase64Encoded, httpMethod, requestContext }: LambdaEvent): string | Uint8Array {
  const isOfGateway = httpMethod !== undefined || requestContext !== undefined || typeof body === "string";
  if (!isOfGateway || !["string", "undefined"].includes(typeof (body ?? undefined))) throw new BodyWasParsed(ADVICE);
  const text = (body ?? "") as string;
  if (!isBase64Encoded) return text;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    throw new Refusal("broken_off", "the gateway's base64 of the body is cut off");
  }
}
