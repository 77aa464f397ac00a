// An event that was received: its text, which is the truth, and a typed view of it.

import type { EventOf } from "./events.js";
import { asTime, asWord, isObject, letters, readObject, type Members } from "./json.js";

/** What an event is about. */
export type Kind = keyof EventOf;

/** What the headers of a delivery tell. Dialpad sends none of them. They are not signed: believe the payload first. */
export interface Labels {
  /** The event: the same however often and to whomever it is delivered. */
  eventId?: string;
  kind?: Kind;
  /** The delivery: one event for one webhook. */
  deliveryId?: string;
  /** The number of the attempt at this delivery, counted from 1. */
  attempt?: number;
}

/** Headers of any framework. */
export type HeadersLike =
  | { get(name: string): string | null | undefined }
  | Record<string, string | readonly string[] | undefined>;

/** An event as it was sent, its signature checked if the receiver has a secret. */
export interface Received<K extends Kind = Kind> {
  /** Told by the event's shape, since the body carries no kind; else by its label. */
  kind: K | undefined;
  /** The event: ids as text, and durations under a second name that ends in `_ms`. */
  payload: EventOf[K];
  /** The event's JSON, byte for byte. */
  text: string;
  labels: Labels;
  /** The same for each repeat of this event. A `~` before it: only within five minutes. */
  repeatKey: string;
  /** The event in a few words, for a log line: nothing that was said or written, and no name or number of a person. */
  summary: string;
}

/** @internal For how long identical bytes count as a repeat where nothing else tells: 5 minutes. */
export const BRIEF_MS = 5 * 60 * 1000;

/** In the order in which shapes are tried: the members that every event of a kind has, even when they are null. */
const SIGNS: readonly (readonly [Kind, readonly string[]])[] = [
  ["call", ["call_id", "state"]],
  ["sms", ["from_number", "to_number"]],
  ["agent_status", ["on_duty_status"]],
  ["contact", ["event", "contact"]],
  ["changelog", ["action", "changed_by"]],
];

/** @internal Reads the bytes of an event, which were checked before. */
export async function received(bytes: Uint8Array, labels: Labels, acceptAnyJson: boolean): Promise<Received> {
  const { text, members: read } = readObject(bytes, acceptAnyJson);
  const members = read ?? {};
  const shape = SIGNS.find(([, signs]) => signs.every((sign) => Object.hasOwn(members, sign)));
  const kind = read && (shape?.[0] ?? labels.kind);
  const natural = labels.eventId === undefined ? naturalKey(kind, members) : undefined;
  let repeatKey: string;
  if (labels.eventId !== undefined) repeatKey = await digest("id", labels.eventId, bytes);
  else if (natural) repeatKey = await digest(kind as string, ...natural);
  else repeatKey = "~" + (await digest("bytes", bytes));
  return { kind, payload: members, text, labels, repeatKey, summary: summary(kind, members) };
}

/** @internal Reads the labels. An id of other letters than ids have, or too long a one, is absent. */
export function labelsOf(headers: HeadersLike | undefined): Labels {
  if (!headers) return {};
  const header = (name: string): string | undefined => {
    const found = typeof headers.get === "function" ? headers.get(name) : inRecord(headers as object, name);
    return found?.trim();
  };
  const id = (name: string): string | undefined => {
    const text = header(name);
    return text !== undefined && /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/.test(text) ? text : undefined;
  };
  const labels: Labels = {};
  const eventId = id("switchhook-event-id");
  if (eventId !== undefined) labels.eventId = eventId;
  const deliveryId = id("switchhook-delivery-id");
  if (deliveryId !== undefined) labels.deliveryId = deliveryId;
  const word = letters(header("switchhook-event-kind") ?? "");
  const kind = SIGNS.find(([known]) => letters(known) === word)?.[0];
  if (kind) labels.kind = kind;
  const attempt = header("switchhook-attempt");
  if (attempt !== undefined && /^[0-9]{1,9}$/.test(attempt)) labels.attempt = Number(attempt);
  return labels;
}

/** Of a plain object, whose names may be in any case. */
function inRecord(headers: object, name: string): string | undefined {
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name) return Array.isArray(value) ? value[0] : value;
  }
  return undefined;
}

/** What tells an event from every other of its kind, if anything does. */
function naturalKey(kind: Kind | undefined, event: Members): [string, string, string] | undefined {
  const at = asTime(event["event_timestamp"])?.toString();
  if (kind === "call") {
    const id = asWord(event["call_id"]);
    return id !== undefined && at !== undefined ? [id, asWord(event["state"]) ?? "", at] : undefined;
  }
  if (kind === "sms") {
    const id = asWord(event["id"]);
    const [status, result] = [event["message_status"], event["message_delivery_result"]].map(asWord);
    return id !== undefined ? [id, status ?? "", result ?? ""] : undefined;
  }
  if (kind === "agent_status") {
    const target = event["target"];
    const id = isObject(target) ? asWord(target["id"]) : undefined;
    return id !== undefined && at !== undefined ? [id, at, ""] : undefined;
  }
  return undefined;
}

/** Half a SHA-256 over the parts, each with its length before it, so that no two lists of parts look alike. */
async function digest(...parts: (string | Uint8Array)[]): Promise<string> {
  const bytes = parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part));
  const whole = new Uint8Array(bytes.reduce((length, part) => length + 8 + part.length, 0));
  let at = 0;
  for (const part of bytes) {
    new DataView(whole.buffer).setBigUint64(at, BigInt(part.length));
    whole.set(part, at + 8);
    at += 8 + part.length;
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
  return Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function summary(kind: Kind | undefined, event: Members): string {
  const word = (name: string): string => (asWord(event[name]) ?? "?").slice(0, 64).replace(/[^ -~]/g, "?");
  switch (kind) {
    case "call": return `${word("state")} ${word("direction")} call ${word("call_id")}`;
    case "sms": return `${word("message_status")} ${word("direction")} message ${word("id")}`;
    case "agent_status": return `agent is ${word("on_duty_status")}`;
    case "contact": return `contact ${word("event")}`;
    case "changelog": return word("action");
    default: return "of no known kind";
  }
}
