// For Hono, on any runtime.
//
//     app.post("/hook", handler(receiver, { onCall: (event) => { … } }));

import { asResponse, wholeBody, type Handlers, type Receiver } from "./receiver.js";

interface Context {
  req: { raw: Request; arrayBuffer(): Promise<ArrayBuffer> };
}

/** A handler of a route. */
export function handler(receiver: Receiver, handlers: Handlers) {
  return async ({ req }: Context): Promise<Response> => {
    let body: Uint8Array | ArrayBuffer;
    try {
      // What a middleware read before, Hono has kept.
      body = req.raw.bodyUsed ? await req.arrayBuffer() : await wholeBody(req.raw);
    } catch (error) {
      return asResponse(receiver.refuse(error));
    }
    return asResponse(await receiver.receive(body, req.raw.headers, handlers));
  };
}
