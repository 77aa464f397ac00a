// For Fastify 4 and 5: a plugin, so that its parser of raw bodies is nobody else's.
//
//     await app.register(plugin(receiver, { onCall: (event) => { … } }), { path: "/hook" });

import { headersOf, type Handlers, type Receiver } from "./receiver.js";
import { BodyWasParsed } from "./refusal.js";
import { MAX_BODY_BYTES } from "./token.js";

const ADVICE = "in Fastify, let no hook of yours set `request.body` on this route";

interface Scope {
  register(plugin: (scope: never) => Promise<void>): unknown;
  removeAllContentTypeParsers(): unknown;
  addHook(name: "onRequest", hook: (request: FastifyRequest) => Promise<void>): unknown;
  addContentTypeParser(type: string, options: object, parser: (request: never, body: Buffer) => Promise<Buffer>): unknown;
  post(path: string, options: object, route: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>): unknown;
}

type Buffer = Uint8Array;

interface FastifyRequest {
  body?: unknown;
  headers: Record<string, string | string[] | undefined>;
}

interface FastifyReply {
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  send(text: string): unknown;
}

/** A plugin with one route, `path`: `/` unless said otherwise. */
export function plugin(receiver: Receiver, handlers: Handlers) {
  return async (outer: unknown, options: { path?: string } = {}): Promise<void> => {
    // In a scope of its own, even inside of `fastify-plugin`.
    (outer as Scope).register(async (scope: Scope) => {
      scope.removeAllContentTypeParsers();
      // Fastify refuses a content type that it cannot read, whatever parsers there are.
      scope.addHook("onRequest", async ({ headers }) => {
        headers["content-type"] = "application/octet-stream";
      });
      scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES }, async (_request, body) => body);
      scope.post(options.path ?? "/", { bodyLimit: MAX_BODY_BYTES }, async ({ body, headers }, reply) => {
        const isRaw = body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array;
        const answer = isRaw
          ? await receiver.receive(body, headers, handlers)
          : receiver.refuse(new BodyWasParsed(ADVICE));
        reply.code(answer.status);
        for (const [name, value] of Object.entries(headersOf(answer))) reply.header(name, value);
        return reply.send(answer.message + "\n");
      });
    });
  };
}
