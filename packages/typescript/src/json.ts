// Reading an event's JSON without rounding an id.

import { DURATIONS } from "./events.js";
import { Refusal } from "./refusal.js";

/** @internal A JSON object as it was read. */
export type Members = Record<string, unknown>;

/**
 * @internal One JSON object out of its bytes: its text, and its members with ids as text. JSON that is no object has none,
 * where any is accepted.
 */
export function readObject(bytes: Uint8Array, acceptAnyJson: boolean): { text: string; members: Members | undefined } {
  const text = asText(bytes);
  if (/^[ \t\r\n]*$/.test(text)) throw new Refusal("empty", "the body is empty; an event is one JSON object");
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (acceptAnyJson) return { text, members: undefined };
    throw new Refusal("not_an_object", "the body is JSON, but not an object; an event is one JSON object");
  }
  const exact = withExactNumbers(text);
  const members = (exact === text ? value : parse(exact)) as Members;
  nameDurations(members);
  return { text, members };
}

function asText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal("not_utf8", "the body is not UTF-8");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // What the engine says quotes the body, which may hold what somebody wrote.
    const reason = error instanceof SyntaxError ? "its text breaks the rules of JSON" : "it is nested too deeply";
    throw new Refusal("not_json", `the body is not JSON: ${reason}`);
  }
}

/** Puts quotes around each number that is an id, or a whole one that a double would round. `text` is valid JSON. */
function withExactNumbers(text: string): string {
  const tokens = /["[\]{}]|-?[0-9][0-9.eE+-]*/g;
  const pieces: string[] = [];
  let copied = 0;
  /** The member whose value is being read; in an array, the array's. */
  let member = "";
  const outer: string[] = [];
  for (let token = tokens.exec(text); token; token = tokens.exec(text)) {
    const word = token[0];
    if (word === '"') {
      const end = endOfString(text, token.index);
      if (isKey(text, end)) member = JSON.parse(text.slice(token.index, end)) as string;
      tokens.lastIndex = end;
    } else if (word === "{" || word === "[") {
      outer.push(member);
      if (word === "{") member = "";
    } else if (word === "}" || word === "]") {
      member = outer.pop() ?? "";
    } else if (isId(member) || isRounded(word)) {
      pieces.push(text.slice(copied, token.index), '"', word, '"');
      copied = tokens.lastIndex;
    }
  }
  return pieces.join("") + text.slice(copied);
}

/** Where the string that begins at this quote is over. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end > 0; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text[before - 1] === "\\") before -= 1;
    if ((end - before) % 2 === 0) return end + 1;
  }
  return text.length;
}

function isKey(text: string, at: number): boolean {
  while (/[ \t\r\n]/.test(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

function isId(member: string): boolean {
  return member === "id" || member.endsWith("_id") || member.endsWith("_ids");
}

function isRounded(number: string): boolean {
  return /^-?[0-9]{16,}$/.test(number) && !Number.isSafeInteger(Number(number));
}

/** Gives each duration a second name, which says that it is in milliseconds. */
function nameDurations(members: Members): void {
  const recordings = members["recording_details"];
  for (const one of [members, ...(Array.isArray(recordings) ? recordings : [recordings])]) {
    if (!isObject(one)) continue;
    for (const name of DURATIONS) {
      if (Object.hasOwn(one, name)) one[name + "_ms"] = typeof one[name] === "number" ? one[name] : null;
    }
  }
}

/** @internal Whether a value is an object that says something: an empty one is how an absent one is sent. */
export function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}

/** @internal An id or a word: text that is not empty. */
export function asWord(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** @internal A time in whole milliseconds, as a number or as text of digits. */
export function asTime(value: unknown): number | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
  return typeof value === "string" && /^[+-]?[0-9]{1,19}$/.test(value) ? Number(value) : undefined;
}

/** Whether two words say the same: case, `_` and `-` do not count, since genuine events are not of one mind about them. */
export function sameWord(one: string | null | undefined, other: string): boolean {
  return typeof one === "string" && letters(one) === letters(other);
}

/** @internal */
export function letters(word: string): string {
  return word.replace(/[_-]/g, "").toLowerCase();
}
