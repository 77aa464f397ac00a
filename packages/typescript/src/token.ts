// Checking tokens: a compact JWS (RFC 7515) with HS256, one form, no options.

import { Refusal } from "./refusal.js";

/** The longest body that is looked at: 2 MiB, twice what any sender sends. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;

export type Secret = string | Uint8Array;

type Part = "header" | "payload" | "signature";

/** @internal The keys of the secrets. Kept as a promise, since WebCrypto makes them asynchronously. */
export function keysOf(secrets: readonly Secret[]): Promise<CryptoKey[]> {
  const keys = secrets.map((secret) => {
    const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
    return crypto.subtle.importKey("raw", bytes as BufferSource, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  });
  return Promise.all(keys);
}

/** @internal The payload of a token that one of the keys signed. */
export async function verifyToken(token: Uint8Array, keys: Promise<CryptoKey[]>): Promise<Uint8Array> {
  // Each byte as one character: whatever is not ASCII is no base64url either.
  const text = latin1(token);
  if (text === "") throw new Refusal("empty", "the token is empty");
  if (/^[ \t\n\f\r]*\{/.test(text)) {
    throw new Refusal("plain_json", "this is plain JSON and not a signed token; the sending webhook has no secret");
  }
  const segments = text.split(".");
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw new Refusal("segments", `a compact JWS has 3 segments separated by dots, and the token has ${segments.length}`);
  }
  checkHeader(decode(header, "header"));
  const given = decode(signature, "signature") as BufferSource;
  const signed = token.subarray(0, header.length + 1 + payload.length) as BufferSource;
  for (const key of await keys) {
    // Compares in constant time.
    if (await crypto.subtle.verify("HMAC", key, given, signed)) return decode(payload, "payload");
  }
  throw new Refusal(
    "wrong_signature",
    "the signature matches none of the secrets known here: another secret, or the body was changed on its way",
  );
}

function checkHeader(header: Uint8Array): void {
  let members: unknown;
  try {
    members = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header));
  } catch {
    members = undefined;
  }
  if (typeof members !== "object" || members === null || Array.isArray(members)) {
    throw new Refusal("header_not_json", "the token's header is not a JSON object");
  }
  if (Object.hasOwn(members, "crit")) {
    throw new Refusal("critical", "the token's header has `crit`, which asks for extensions that are not supported");
  }
  if (!Object.hasOwn(members, "alg")) {
    throw new Refusal("no_algorithm", "the token's header names no algorithm; only HS256 is accepted");
  }
  const algorithm = (members as { alg: unknown }).alg;
  if (algorithm === "HS256") return;
  if (typeof algorithm === "string" && algorithm.toLowerCase() === "none") {
    throw new Refusal("unsigned", "the token says it is not signed (algorithm `none`); only HS256 is accepted");
  }
  const found = JSON.stringify(algorithm).slice(0, 64).replace(/[^ -~]/g, "?");
  throw new Refusal("other_algorithm", `the token is signed with ${found}; only HS256 is accepted`);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function decode(segment: string, part: Part): Uint8Array {
  if (segment.endsWith("=")) {
    throw new Refusal("padded", `the ${part} of the token is padded with \`=\`; a JWS uses base64url without padding`);
  }
  if (!/^[A-Za-z0-9_-]*$/.test(segment) || segment.endsWith("\n")) {
    throw new Refusal("not_base64", `the ${part} of the token is not base64url: there is white space or another character`);
  }
  const rest = segment.length % 4;
  if (rest === 1) {
    throw new Refusal("cut_off", `the ${part} of the token is cut off: ${segment.length} characters are no whole bytes`);
  }
  // The bits of the last character that belong to no byte.
  const spare = rest === 2 ? 15 : rest === 3 ? 3 : 0;
  if ((ALPHABET.indexOf(segment.slice(-1)) & spare) !== 0) {
    throw new Refusal("not_canonical", `the ${part} of the token ends in a character that no encoder writes`);
  }
  const binary = atob(segment.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

/** In slices, since a call takes only so many arguments. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}
