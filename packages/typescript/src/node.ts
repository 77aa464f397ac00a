// What the adapters for Node's own requests have in common. Nothing here is exported from the package.

import { joined, tooLarge } from "./receiver.js";
import { BodyWasParsed, Refusal } from "./refusal.js";
import { MAX_BODY_BYTES } from "./token.js";

/** A request of `node:http`, as frameworks extend it. */
export interface NodeRequest extends AsyncIterable<Uint8Array | string> {
  method?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  readableEnded?: boolean;
  /** What a parser made of the body, if one ran. */
  body?: unknown;
  /** The bytes, kept beside what was parsed, as serverless platforms do. */
  rawBody?: unknown;
}

/** Its response. */
export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(text: string): unknown;
}

/** The bytes of a request: those that a framework kept, else those that nobody has read yet. */
export async function nodeBody(request: NodeRequest, advice: string): Promise<Uint8Array | string> {
  for (const kept of [request.rawBody, request.body]) {
    if (typeof kept === "string" || kept instanceof Uint8Array) return kept;
  }
  // A parser that did not know the content type leaves the body where it was, and `{}` behind.
  if (request.readableEnded) throw new BodyWasParsed(advice);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (typeof chunk === "string") throw new BodyWasParsed("do not call `setEncoding` on the request");
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof BodyWasParsed ? error : new Refusal("broken_off", "the body broke off before its end");
  }
  // Read to its end all the same, so that the sender gets to read the answer.
  if (length > MAX_BODY_BYTES) throw tooLarge();
  return joined(chunks, length);
}
