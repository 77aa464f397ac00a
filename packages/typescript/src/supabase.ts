// For Supabase's Edge Functions.
//
//     Deno.serve(edgeFunction(receiver, { onCall: async (event) => { … } }));
//
// Supabase wants a JWT of its own in `Authorization` and answers 401 before the function runs. Dialpad sends none, so turn
// that off: `verify_jwt = false` under `[functions.NAME]` in supabase/config.toml, or `deploy --no-verify-jwt`.
// Functions share no memory: give the receiver a `repeats` store outside, such as a table.

import type { Handlers, Receiver } from "./receiver.js";

/** A function to be served. */
export function edgeFunction(receiver: Receiver, handlers: Handlers): (request: Request) => Promise<Response> {
  return receiver.handler(handlers);
}
