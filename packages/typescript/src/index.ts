// Receive the webhooks of Dialpad and of Switchhook: verified, typed, each event once.

export { Calls, type CallOf } from "./calls.js";
export type * from "./events.js";
export { sameWord } from "./json.js";
export { LegOrder } from "./order.js";
export type { HeadersLike, Kind, Labels, Received } from "./received.js";
export { createReceiver, Receiver, type Answer, type Handlers, type Options, type Trouble } from "./receiver.js";
export { BodyWasParsed, HandlerTimedOut, InvalidSecret, Refusal, type RefusalCode } from "./refusal.js";
export { repeatsInMemory, type Bounds, type RepeatStore, type Turn } from "./repeats.js";
export { MAX_BODY_BYTES, type Secret } from "./token.js";
