// Makes receivers: a body in, an event or a reason out; and for those who want it, a whole answer.

import { BRIEF_MS, labelsOf, received, type HeadersLike, type Kind, type Received } from "./received.js";
import { BodyWasParsed, HandlerTimedOut, InvalidSecret, Refusal } from "./refusal.js";
import { repeatsInMemory, type RepeatStore } from "./repeats.js";
import { keysOf, MAX_BODY_BYTES, verifyToken, type Secret } from "./token.js";

/** What a receiver is made with. Without a secret it takes unsigned JSON only, from anybody. */
export interface Options {
  /** The secret that was given when the webhook was created. */
  secret?: Secret | undefined;
  /** Several, while one is being replaced by another: any of them may have signed. */
  secrets?: readonly Secret[] | undefined;
  /** Takes tokens that stand in quotes too, as a gateway makes them that turns every body into JSON. */
  acceptQuoted?: boolean;
  /**
   * Takes events that are no objects too, such as an array, for whoever keeps what comes and looks at it later. No kind is
   * one: `onOther` gets them, and they have their `text` and no members.
   */
  acceptAnyJson?: boolean;
  /** Where it is remembered which events were dealt with. */
  repeats?: RepeatStore;
  /** For how long an event is known as a repeat: 7 days, since deliveries are tried again for three. */
  rememberMs?: number;
  /** How long a handler may take before it counts as failed: 60 s. `Infinity`: as long as it likes. */
  handlerTimeoutMs?: number;
  /** Called with whatever goes wrong, to be logged. The default writes one line with `console.error`. */
  report?: (trouble: Trouble) => void;
}

/** Why an event was not dealt with. */
export interface Trouble {
  what: "refused" | "body_was_parsed" | "handler_failed" | "not_remembered";
  error: unknown;
}

/** `signal` is aborted when the handler's time is over: hand it on to what the handler waits for. */
type Handler<K extends Kind> = (event: Received<K>, signal: AbortSignal) => unknown;

/**
 * A function for each kind of event. One that throws, or takes longer than `handlerTimeoutMs`, is answered with 500, and
 * the event comes again.
 */
export interface Handlers {
  onCall?: Handler<"call">;
  onSms?: Handler<"sms">;
  onAgentStatus?: Handler<"agent_status">;
  onContact?: Handler<"contact">;
  onChangeLog?: Handler<"changelog">;
  /** Events that no other function is for, those of no known kind included. */
  onOther?: Handler<Kind>;
}

/** What to answer to a request. */
export interface Answer {
  status: number;
  /** A line for the sender's log: nothing secret, nothing of what went wrong inside. */
  message: string;
  /** What to put into `Retry-After`, in seconds. */
  retryAfter?: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** A timer that is set to more goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const HANDLER_OF: Record<Kind, keyof Handlers> = {
  call: "onCall", sms: "onSms", agent_status: "onAgentStatus", contact: "onContact", changelog: "onChangeLog",
};

/** Makes a receiver. An empty or missing value under `secret` or `secrets` is an error, and never an open door. */
export function createReceiver(options: Options = {}): Receiver {
  return new Receiver(options);
}

/** Checks the bodies of requests. Made once with `createReceiver`, then shared. */
export class Receiver {
  readonly #keys: Promise<CryptoKey[]> | undefined;
  readonly #acceptQuoted: boolean;
  readonly #acceptAnyJson: boolean;
  readonly #repeats: RepeatStore;
  readonly #rememberMs: number;
  readonly #handlerTimeoutMs: number;
  readonly #report: (trouble: Trouble) => void;

  constructor(options: Options) {
    const secrets = secretsOf(options);
    this.#keys = secrets.length > 0 ? keysOf(secrets) : undefined;
    this.#acceptQuoted = options.acceptQuoted ?? false;
    this.#acceptAnyJson = options.acceptAnyJson ?? false;
    this.#repeats = options.repeats ?? repeatsInMemory();
    this.#rememberMs = options.rememberMs ?? 7 * DAY_MS;
    this.#handlerTimeoutMs = options.handlerTimeoutMs ?? 60_000;
    if (!(this.#handlerTimeoutMs > 0)) throw new RangeError("`handlerTimeoutMs` must be more than 0");
    this.#report = options.report ?? write;
  }

  /**
   * Takes the whole body of a request, whatever its `Content-Type`: checks its signature, and that it is one event.
   * Throws `Refusal`, or `BodyWasParsed` if it is given anything but text or bytes.
   */
  async verify(body: string | Uint8Array | ArrayBuffer, headers?: HeadersLike): Promise<Received> {
    let bytes = bytesOf(body);
    if (bytes.length > MAX_BODY_BYTES) throw tooLarge();
    if (this.#acceptQuoted) bytes = withoutQuotes(bytes);
    if (this.#keys) return received(await verifyToken(bytes, this.#keys), labelsOf(headers), this.#acceptAnyJson);
    // A token begins with the base64url of `{"`, and JSON never begins with the letter `e`.
    if (bytes[0] === 0x65 && bytes[1] === 0x79) {
      throw new Refusal("secret_missing", "the event is signed, but this receiver has no secret; give it the webhook's");
    }
    return received(bytes, labelsOf(headers), this.#acceptAnyJson);
  }

  /** Verifies, drops repeats, calls the function of the event's kind, and says what to answer. Never throws. */
  async receive(body: unknown, headers: HeadersLike | undefined, handlers: Handlers): Promise<Answer> {
    let event: Received;
    try {
      event = await this.verify(body as string, headers);
    } catch (error) {
      return this.refuse(error);
    }
    try {
      const turn = await this.#repeats.begin(event.repeatKey);
      if (turn === "repeat") return { status: 200, message: "a repeat" };
      if (turn === "under_way") return { status: 503, message: "this event is being handled", retryAfter: 5 };
    } catch (error) {
      return this.#fail("not_remembered", error);
    }
    return this.#handle(event, handlers);
  }

  /** The answer to a request whose body could not be taken as a whole. */
  refuse(error: unknown): Answer {
    if (error instanceof Refusal) {
      this.#report({ what: "refused", error });
      return { status: error.status, message: error.message };
    }
    return this.#fail(error instanceof BodyWasParsed ? "body_was_parsed" : "handler_failed", error);
  }

  /** A function from a Web `Request` to a `Response`: for Deno, Bun, workers, Next.js, Hono and whatever else has both. */
  handler(handlers: Handlers): (request: Request) => Promise<Response> {
    return async (request) => {
      if (request.method !== "POST") {
        return asResponse({ status: 405, message: "events are sent with POST" });
      }
      let body: Uint8Array;
      try {
        body = await wholeBody(request);
      } catch (error) {
        return asResponse(this.refuse(error));
      }
      return asResponse(await this.receive(body, request.headers, handlers));
    };
  }

  async #handle(event: Received, handlers: Handlers): Promise<Answer> {
    const handler = (event.kind && handlers[HANDLER_OF[event.kind]]) ?? handlers.onOther;
    const stop = new AbortController();
    const handled = (async () => (handler as Handler<Kind> | undefined)?.(event, stop.signal))();
    try {
      await inTime(handled, this.#handlerTimeoutMs);
    } catch (error) {
      stop.abort(error);
      try {
        await this.#repeats.forget(event.repeatKey);
      } catch (forgetting) {
        this.#report({ what: "not_remembered", error: forgetting });
      }
      // What could not be stopped, and comes to a good end after all, need not be done again.
      if (error instanceof HandlerTimedOut) void handled.then(() => this.#done(event), () => undefined);
      return this.#fail("handler_failed", error);
    }
    return this.#done(event);
  }

  async #done({ repeatKey }: Received): Promise<Answer> {
    const windowMs = repeatKey.startsWith("~") ? Math.min(BRIEF_MS, this.#rememberMs) : this.#rememberMs;
    try {
      await this.#repeats.done(repeatKey, windowMs);
      return { status: 200, message: "received" };
    } catch (error) {
      return this.#fail("not_remembered", error);
    }
  }

  #fail(what: Trouble["what"], error: unknown): Answer {
    this.#report({ what, error });
    return { status: 500, message: "the event could not be handled" };
  }
}

/** Waits for what is being done, but no longer than this. */
async function inTime(handled: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isOver = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new HandlerTimedOut(timeoutMs)), Math.min(timeoutMs, LONGEST_TIMER_MS));
  });
  try {
    await Promise.race([handled, isOver]);
  } finally {
    clearTimeout(timer);
  }
}

/** A key that is there without a value was meant to have one. */
function secretsOf(options: Options): Secret[] {
  const all: unknown[] = "secret" in options ? [options.secret] : [];
  if ("secrets" in options) {
    if (!Array.isArray(options.secrets) || options.secrets.length === 0) {
      throw new InvalidSecret("`secrets` is not a list, or an empty one; for unsigned events leave it out");
    }
    all.push(...(options.secrets as unknown[]));
  }
  for (const one of all) {
    const isSecret = (typeof one === "string" || one instanceof Uint8Array) && one.length > 0;
    if (!isSecret) {
      throw new InvalidSecret(
        "a secret is empty or not set (is its environment variable?); for unsigned events give no secret at all",
      );
    }
  }
  return all as Secret[];
}

/** The bytes of a body that nobody parsed. */
function bytesOf(body: unknown): Uint8Array {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (body === undefined || body === null) return new Uint8Array();
  throw new BodyWasParsed("hand over its text or bytes, not an object; each adapter of this package says how");
}

/** @internal Reads the body of a request to its end, but no more of it than is looked at. */
export async function wholeBody(request: Request): Promise<Uint8Array> {
  if (request.bodyUsed) {
    throw new BodyWasParsed("do not call `request.json()` or `request.text()` before the receiver, or give it a clone");
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  try {
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      length += read.value.length;
      if (length > MAX_BODY_BYTES) {
        await reader?.cancel().catch(() => undefined);
        throw tooLarge();
      }
      chunks.push(read.value);
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal("broken_off", "the body broke off before its end");
  }
  return joined(chunks, length);
}

/** @internal */
export function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** @internal */
export function tooLarge(): Refusal {
  return new Refusal("too_large", `the body has more than ${MAX_BODY_BYTES} bytes, and more are not looked at`);
}

/** The token inside a JSON string. It holds no character that JSON would escape. */
function withoutQuotes(bytes: Uint8Array): Uint8Array {
  const isSpace = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;
  let [from, to] = [0, bytes.length];
  while (from < to && isSpace(bytes[from])) from += 1;
  while (to > from && isSpace(bytes[to - 1])) to -= 1;
  return to - from >= 2 && bytes[from] === 0x22 && bytes[to - 1] === 0x22 ? bytes.subarray(from + 1, to - 1) : bytes;
}

/** @internal The names and values of an answer's headers. */
export function headersOf(answer: Answer): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": "text/plain; charset=utf-8" };
  if (answer.status === 405) headers["Allow"] = "POST";
  if (answer.retryAfter !== undefined) headers["Retry-After"] = String(answer.retryAfter);
  return headers;
}

/** @internal */
export function asResponse(answer: Answer): Response {
  return new Response(answer.message + "\n", { status: answer.status, headers: headersOf(answer) });
}

function write({ what, error }: Trouble): void {
  console.error(`switchhook-receiver: ${what.replace(/_/g, " ")}:`, error instanceof Refusal ? error.message : error);
}
