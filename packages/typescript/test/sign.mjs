// Signs events as Dialpad and Switchhook do.

import { createHmac } from "node:crypto";

const encoded = (text) => Buffer.from(text).toString("base64url");

export const SECRET = "both sides know ït";

export function sign(event, secret = SECRET) {
  const text = typeof event === "string" ? event : JSON.stringify(event);
  const signed = `${encoded('{"alg":"HS256","typ":"JWT"}')}.${encoded(text)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

let callId = 0;

/** A new event with each call. */
export function hangup() {
  callId += 1;
  return { call_id: callId, state: "hangup", event_timestamp: 1795253415180, duration: 8951.03 };
}
