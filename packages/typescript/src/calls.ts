// Which legs are one call: a real call is several legs with a `call_id` each, and no single field links them all.

import type { CallEvent } from "./events.js";
import { asTime, asWord, isObject, letters } from "./json.js";

/** What is known about the call of an event. */
export interface CallOf {
  /** The call's key: the id of the first of its legs that was heard of. */
  key: string;
  /** Keys that were given before and mean this call from now on: merge what was made of them. */
  merged: string[];
  /**
   * Keys of other calls that may be this one: no id says so, but caller and line are the same and they began within 60
   * seconds. They are not merged: somebody may have called twice.
   */
  possibly: string[];
}

interface Call {
  legs: string[];
  begun: number;
  caller?: string;
}

interface Likeness {
  caller: string;
  lines: string[];
  beganAt: number;
  direction: string | undefined;
}

const WITHIN_MS = 60_000;
/** How many calls of one caller are looked at that may be one, and on how many lines. */
const MOST_ALIKE = 8;
const MOST_LINES = 8;
/** Shorter numbers are extensions, which many have; before the last eight may stand a country code or a trunk's zero. */
const FEWEST_DIGITS = 7;
const MOST_DIGITS = 8;

/** Knows which legs belong together. Bounded: the calls that were quiet for longest are forgotten. */
export class Calls {
  readonly #maxLegs: number;
  readonly #callOf = new Map<string, string>();
  /** In the order in which they were heard of: the first was quiet for longest. */
  readonly #calls = new Map<string, Call>();
  readonly #callers = new Map<string, [key: string, likeness: Likeness][]>();
  #heard = 0;

  /** Knows at most so many legs. */
  constructor(maxLegs = 100_000) {
    this.#maxLegs = Math.max(maxLegs, 4);
  }

  /**
   * The call that an event is about: the union over `call_id`, `master_call_id`, `operator_call_id` and
   * `entry_point_call_id`. Undefined if the event has none of the four.
   */
  callOf(event: CallEvent): CallOf | undefined {
    const ids = [event.call_id, event.master_call_id, event.operator_call_id, event.entry_point_call_id];
    // Real traffic writes an absent id as null, some of it as 0.
    const legs = [...new Set(ids.map(asWord).filter((id) => id !== undefined && id !== "0"))] as string[];
    if (legs[0] === undefined) return undefined;
    const known = [...new Set(legs.map((leg) => this.#callOf.get(leg)).filter((key) => key !== undefined))];
    known.sort((one, other) => (this.#calls.get(one)?.begun ?? 0) - (this.#calls.get(other)?.begun ?? 0));
    const [key = legs[0], ...merged] = known;
    this.#hearOf(key, legs, merged);
    const likeness = likenessOf(event);
    const possibly = likeness ? this.#possibly(key, likeness) : [];
    this.#forgetTheQuietest();
    return { key, merged, possibly };
  }

  #hearOf(key: string, legs: string[], merged: string[]): void {
    this.#heard += 1;
    const call = this.#calls.get(key) ?? { legs: [], begun: this.#heard };
    for (const other of merged) {
      const { legs: of = [], caller } = this.#calls.get(other) ?? {};
      this.#calls.delete(other);
      this.#forgetCaller(other, caller);
      for (const leg of of) this.#take(call, key, leg);
    }
    for (const leg of legs) {
      if (!this.#callOf.has(leg)) this.#take(call, key, leg);
    }
    this.#calls.delete(key);
    this.#calls.set(key, call);
  }

  #take(call: Call, key: string, leg: string): void {
    this.#callOf.set(leg, key);
    call.legs.push(leg);
  }

  /** Other calls that may be this one; notes what is known of this. */
  #possibly(key: string, likeness: Likeness): string[] {
    const of = this.#callers.get(likeness.caller) ?? [];
    const others = of.filter(([other, like]) => other !== key && mayBeOneCall(like, likeness)).map(([other]) => other);
    this.#note(key, likeness);
    return others;
  }

  /** Of a call's legs the first tells when it began; the lines of all are its. */
  #note(key: string, likeness: Likeness): void {
    const call = this.#calls.get(key);
    if (!call) return;
    call.caller ??= likeness.caller;
    if (call.caller !== likeness.caller) return;
    const of = this.#callers.get(likeness.caller) ?? [];
    this.#callers.set(likeness.caller, of);
    const known = of.find(([other]) => other === key)?.[1];
    if (known) {
      known.lines = [...new Set([...known.lines, ...likeness.lines])].slice(0, MOST_LINES);
      return;
    }
    of.push([key, likeness]);
    if (of.length > MOST_ALIKE) of.shift();
  }

  #forgetCaller(key: string, caller: string | undefined): void {
    if (caller === undefined) return;
    const rest = (this.#callers.get(caller) ?? []).filter(([other]) => other !== key);
    if (rest.length > 0) this.#callers.set(caller, rest);
    else this.#callers.delete(caller);
  }

  /** Never forgets the call that was heard of last, so a key that was just given is always known. */
  #forgetTheQuietest(): void {
    for (const [key, call] of this.#calls) {
      if (this.#callOf.size <= this.#maxLegs || this.#calls.size <= 1) return;
      this.#calls.delete(key);
      this.#forgetCaller(key, call.caller);
      for (const leg of call.legs) this.#callOf.delete(leg);
    }
  }
}

/** By what a leg can be known as one of a call's, weaker than by an id. */
function likenessOf(event: CallEvent): Likeness | undefined {
  const first = (from: unknown, ...names: string[]): unknown =>
    isObject(from) ? names.map((name) => from[name]).flat().find((value) => typeof value === "string") : undefined;
  const contact = first(event.contact, "primary_phone", "phone", "phone_number", "phones");
  const caller = [event.external_number, contact].map(digits).find((number) => number !== undefined);
  const targets = [event.target, event.entry_point_target, event.proxy_target];
  const numbers = [event.internal_number, ...targets.map((target) => first(target, "phone", "phone_number"))];
  const lines = [...new Set(numbers.map(digits).filter((number) => number !== undefined))];
  const beganAt = asTime(event.date_started) ?? asTime(event.event_timestamp);
  if (caller === undefined || lines.length === 0 || beganAt === undefined) return undefined;
  const direction = asWord(event.direction);
  return { caller, lines, beganAt, direction: direction && letters(direction) };
}

function mayBeOneCall(one: Likeness, other: Likeness): boolean {
  const agree = !one.direction || !other.direction || one.direction === other.direction;
  const isNear = Math.abs(one.beganAt - other.beganAt) <= WITHIN_MS;
  return agree && isNear && one.lines.some((line) => other.lines.includes(line));
}

function digits(number: unknown): string | undefined {
  if (typeof number !== "string") return undefined;
  const all = number.replace(/[^0-9]/g, "");
  return all.length >= FEWEST_DIGITS ? all.slice(-MOST_DIGITS) : undefined;
}
