// Holds the receiver against vectors.json, in any runtime: node, deno run -A, bun; the file's path is its argument.

import { readFileSync } from "node:fs";
import process from "node:process";
import { Calls, createReceiver, LegOrder, Refusal } from "@switchhook/receiver";

const file = JSON.parse(readFileSync(process.argv[2], "utf8"));
const wrong = [];

function check(name, what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    wrong.push(`${name}: ${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  }
}

function bodyOf({ body, body_base64, body_repeated }) {
  if (body !== undefined) return body;
  if (body_repeated) return body_repeated[0].repeat(body_repeated[1]);
  return Uint8Array.from(atob(body_base64), (letter) => letter.charCodeAt(0));
}

function member(payload, path) {
  return path.split(".").reduce((value, name) => value?.[name], payload);
}

// With `verify`, which tells the reason, and with `handler`, as a request comes.
for (const vector of file.vectors) {
  const { name, secrets, headers = {}, accept } = vector;
  const options = { ...(secrets.length > 0 && { secrets }), report: () => undefined };
  const request = new Request("http://x/hook", { method: "POST", body: bodyOf(vector), headers });
  const { status } = await createReceiver(options).handler({})(request);
  if (accept === "either") {
    check(name, "accepting or refusing", status === 200 || (status >= 400 && status < 500), true);
    continue;
  }
  check(name, "the answer", status, vector.status);
  try {
    const event = await createReceiver(options).verify(bodyOf(vector), headers);
    check(name, "what is accepted", true, accept);
    check(name, "the kind", event.kind ?? null, vector.kind);
    check(name, "the text", event.text, vector.event);
    if (vector.repeat_key) check(name, "the repeat key", event.repeatKey, vector.repeat_key);
    for (const [path, value] of Object.entries(vector.reads ?? {})) {
      check(name, path, member(event.payload, path), value);
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    check(name, "the refusal", [error.code, error.status], [vector.refusal, vector.status]);
  }
}

// What is no object is taken by a receiver of any JSON.
for (const vector of file.vectors.filter(({ refusal }) => refusal === "not_an_object")) {
  const options = { ...(vector.secrets.length > 0 && { secrets: vector.secrets }), acceptAnyJson: true };
  const event = await createReceiver(options).verify(bodyOf(vector), { "switchhook-event-kind": "call" });
  const found = [event.kind ?? null, event.payload, event.text, event.repeatKey, event.summary];
  check(vector.name, "any JSON", found, [null, {}, vector.event, vector.repeat_key, "of no known kind"]);
}

async function payloadOf(text) {
  return (await createReceiver().verify(text)).payload;
}

for (const { name, events } of file.calls) {
  const calls = new Calls();
  for (const { event, ...wanted } of events) check(name, event, calls.callOf(await payloadOf(event)), wanted);
}

for (const { name, events } of file.orders) {
  const order = new LegOrder();
  for (const { event, is_late } of events) check(name, event, order.isLate(await payloadOf(event)), is_late);
}

for (const line of wrong) console.error(line);
if (wrong.length > 0 || file.vectors.length < 100) process.exit(1);
console.log(`${file.vectors.length} vectors, ${file.calls.length} calls and ${file.orders.length} orders: right`);
