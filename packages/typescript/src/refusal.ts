// Why a request is not taken, and what to answer then. Nothing here holds anything secret.

/** What was wrong with a body; the words are those of `packages/vectors.json`. */
export type RefusalCode =
  | "empty" | "too_large" | "broken_off"
  | "plain_json" | "segments" | "padded" | "not_base64" | "cut_off" | "not_canonical"
  | "header_not_json" | "no_algorithm" | "unsigned" | "other_algorithm" | "critical" | "wrong_signature"
  | "secret_missing" | "not_utf8" | "not_json" | "not_an_object";

const UNAUTHORIZED: readonly RefusalCode[] = [
  "plain_json", "no_algorithm", "unsigned", "other_algorithm", "wrong_signature", "secret_missing",
];

/** The body of a request is not an event that this receiver takes. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    /** What was wrong. */
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }

  /** The status to answer: 401 if the signature is missing or wrong, 413 if the body is too large, else 400. */
  get status(): 400 | 401 | 413 {
    if (this.code === "too_large") return 413;
    return UNAUTHORIZED.includes(this.code) ? 401 : 400;
  }
}

/**
 * The framework parsed the body before the receiver saw it, so the bytes that were signed are gone. The message says
 * what to change. The answer is 500, so that the event comes again when it has been changed.
 */
export class BodyWasParsed extends Error {
  override readonly name = "BodyWasParsed";
  readonly status = 500;

  constructor(advice: string) {
    super(`the body was parsed or read before the receiver saw it, and a signature covers its exact bytes; ${advice}`);
  }
}

/** A receiver cannot be made: a secret is empty or was never set. */
export class InvalidSecret extends Error {
  override readonly name = "InvalidSecret";
}

/** A handler did not come to its end in time. The answer is 500, and the event comes again. */
export class HandlerTimedOut extends Error {
  override readonly name = "HandlerTimedOut";

  constructor(timeoutMs: number) {
    super(`the handler did not come to its end within ${timeoutMs / 1000} s, so the event may come again`);
  }
}
