// For Express 4 and 5, and whatever else calls `(request, response)` as Node does.
//
//     app.post("/hook", handler(receiver, { onCall: (event) => { … } }));
//
// Put it before `app.use(express.json())`: signed events pass that parser by, unsigned ones do not.

import { nodeBody, type NodeRequest, type NodeResponse } from "./node.js";
import { headersOf, type Answer, type Handlers, type Receiver } from "./receiver.js";

const ADVICE =
  "in Express, register this route before `app.use(express.json())`, or give it `express.raw({ type: () => true, " +
  'limit: "2mb" })` of its own';

/** A handler of a route. */
export function handler(receiver: Receiver, handlers: Handlers) {
  return async (request: NodeRequest, response: NodeResponse): Promise<void> => {
    send(response, await answer(receiver, handlers, request, ADVICE));
  };
}

/** @internal */
export async function answer(
  receiver: Receiver,
  handlers: Handlers,
  request: NodeRequest,
  advice: string,
): Promise<Answer> {
  if (request.method !== "POST") return { status: 405, message: "events are sent with POST" };
  try {
    return await receiver.receive(await nodeBody(request, advice), request.headers, handlers);
  } catch (error) {
    return receiver.refuse(error);
  }
}

/** @internal */
export function send(response: NodeResponse, answer: Answer): void {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(headersOf(answer))) response.setHeader(name, value);
  response.end(answer.message + "\n");
}
