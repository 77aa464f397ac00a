// For Next.js: route handlers of the App Router, on Node or at the edge, and API routes of the Pages Router.
//
//     export const POST = route(receiver, { onCall: async (event) => { … } });

import { answer, send } from "./express.js";
import type { NodeRequest, NodeResponse } from "./node.js";
import type { Handlers, Receiver } from "./receiver.js";

const ADVICE = "in Next.js, add `export const config = { api: { bodyParser: false } }` to the file of this API route";

/** A route handler, to be exported as `POST`. */
export function route(receiver: Receiver, handlers: Handlers): (request: Request) => Promise<Response> {
  return receiver.handler(handlers);
}

/** The default export of a file under `pages/api`. */
export function apiRoute(receiver: Receiver, handlers: Handlers) {
  return async (request: NodeRequest, response: NodeResponse): Promise<void> => {
    send(response, await answer(receiver, handlers, request, ADVICE));
  };
}
