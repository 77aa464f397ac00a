import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyWasParsed, createReceiver, HandlerTimedOut, InvalidSecret, repeatsInMemory, sameWord } from "@switchhook/receiver";
import { hangup, SECRET, sign } from "./sign.mjs";

const quiet = { secret: SECRET, report: () => undefined };

function post(body, headers = { "Content-Type": "application/jwt" }) {
  return new Request("http://x/hook", { method: "POST", body, headers });
}

test("each kind goes to its own function and the rest to the other one", async () => {
  const seen = [];
  const note = (name) => (event) => seen.push(`${name} ${event.kind}`);
  const handler = createReceiver(quiet).handler({
    onCall: note("call"), onSms: note("sms"), onAgentStatus: note("agent"), onContact: note("contact"),
    onChangeLog: note("changelog"), onOther: note("other"),
  });
  for (const event of [
    hangup(), { id: 1, from_number: "+1", to_number: [] }, { on_duty_status: null }, { event: "Created", contact: {} },
    { action: "updated_ivr", changed_by: null }, { nobody: "knows" },
  ]) {
    assert.equal((await handler(post(sign(event)))).status, 200);
  }
  assert.deepEqual(seen, [
    "call call", "sms sms", "agent agent_status", "contact contact", "changelog changelog", "other undefined",
  ]);
});

test("an event that comes again is dealt with once", async () => {
  let count = 0;
  const handler = createReceiver(quiet).handler({ onCall: () => { count += 1; } });
  const body = sign(hangup());
  for (let time = 0; time < 3; time += 1) assert.equal((await handler(post(body))).status, 200);
  assert.equal(count, 1);
});

test("an event whose function fails comes again, and the reason stays here", async () => {
  const troubles = [];
  let fails = true;
  const receiver = createReceiver({ secret: SECRET, report: ({ what, error }) => troubles.push([what, error.message]) });
  const handler = receiver.handler({ onCall: async () => { if (fails) throw new Error("no database"); } });
  const body = sign(hangup());
  const answer = await handler(post(body));
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /database/);
  assert.deepEqual(troubles, [["handler_failed", "no database"]]);
  fails = false;
  assert.equal((await handler(post(body))).status, 200);
});

test("an event that is being dealt with is answered with 503 and may come later", async () => {
  let finish;
  const under = new Promise((resolve) => { finish = resolve; });
  const handler = createReceiver(quiet).handler({ onCall: () => under });
  const body = sign(hangup());
  const first = handler(post(body));
  const second = await handler(post(body));
  assert.equal(second.status, 503);
  assert.equal(second.headers.get("retry-after"), "5");
  finish();
  assert.equal((await first).status, 200);
  assert.equal((await handler(post(body))).status, 200);
});

test("a handler that does not end in a minute has failed, and its event comes again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const troubles = [];
  const signals = [];
  let begin;
  const receiver = createReceiver({ secret: SECRET, report: ({ what, error }) => troubles.push([what, error.name]) });
  const handler = receiver.handler({
    onCall: (_, signal) => { signals.push(signal); begin(); return new Promise(() => undefined); },
  });
  const body = sign(hangup());
  for (let time = 0; time < 2; time += 1) {
    const begun = new Promise((resolve) => { begin = resolve; });
    const answer = handler(post(body));
    await begun;
    context.mock.timers.tick(59_999);
    assert.equal((await handler(post(body))).status, 503);
    assert.equal(signals.at(-1).aborted, false);
    context.mock.timers.tick(1);
    assert.equal((await answer).status, 500);
    assert.ok(signals.at(-1).reason instanceof HandlerTimedOut);
  }
  assert.deepEqual(troubles, [["handler_failed", "HandlerTimedOut"], ["handler_failed", "HandlerTimedOut"]]);
});

test("a handler that ends too late is believed if it ends well, and passed over if not", async () => {
  for (const [end, again] of [["resolve", 1], ["reject", 2]]) {
    let count = 0;
    let finish;
    const late = new Promise((resolve, reject) => { finish = { resolve, reject: () => reject(new Error("late")) }; });
    const handler = createReceiver({ ...quiet, handlerTimeoutMs: 1 }).handler({ onCall: () => { count += 1; return late; } });
    const body = sign(hangup());
    assert.equal((await handler(post(body))).status, 500);
    finish[end]();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await handler(post(body))).status, end === "resolve" ? 200 : 500);
    assert.equal(count, again);
  }
});

test("a time that is no time is a mistake, and `Infinity` is none", async () => {
  for (const handlerTimeoutMs of [0, -1, Number.NaN]) assert.throws(() => createReceiver({ handlerTimeoutMs }), RangeError);
  const handler = createReceiver({ ...quiet, handlerTimeoutMs: Infinity }).handler({
    onCall: () => new Promise((resolve) => setImmediate(resolve)),
  });
  assert.equal((await handler(post(sign(hangup())))).status, 200);
});

test("a store that fails costs no event: the answer is 500", async () => {
  const broken = (method) => ({ begin: () => "first", done() {}, forget() {}, [method]() { throw new Error("down"); } });
  for (const method of ["begin", "done"]) {
    const handler = createReceiver({ ...quiet, repeats: broken(method) }).handler({ onCall: () => undefined });
    assert.equal((await handler(post(sign(hangup())))).status, 500);
  }
});

test("a memory forgets what is old and what is too much", () => {
  let now = 0;
  const repeats = repeatsInMemory({ events: 2, now: () => now });
  const deal = (key) => { const turn = repeats.begin(key); if (turn === "first") repeats.done(key, 100); return turn; };
  assert.deepEqual(["a", "a", "b", "c", "a"].map(deal), ["first", "repeat", "first", "first", "first"]);
  now = 100;
  assert.equal(deal("a"), "first");
  assert.equal(repeats.begin("z"), "first");
  repeats.forget("z");
  assert.equal(repeats.begin("z"), "first");
});

test("a secret that is empty or not set is a mistake and not an open door", () => {
  for (const options of [
    { secret: undefined }, { secret: "" }, { secrets: [] }, { secrets: undefined }, { secrets: ["new", ""] },
    { secrets: "abc" }, { secret: null },
  ]) {
    assert.throws(() => createReceiver(options), InvalidSecret, JSON.stringify(options));
  }
});

test("a body that was parsed is told from a wrong one, with what to change", async () => {
  await assert.rejects(createReceiver(quiet).verify({ call_id: 1 }), BodyWasParsed);
  const request = post(sign(hangup()));
  await request.text();
  const troubles = [];
  const handler = createReceiver({ secret: SECRET, report: ({ error }) => troubles.push(error.message) }).handler({});
  assert.equal((await handler(request)).status, 500);
  assert.match(troubles[0], /request\.json\(\)/);
});

test("only POST is taken, and no more of a body is read than is looked at", async () => {
  const handler = createReceiver(quiet).handler({});
  assert.equal((await handler(new Request("http://x/hook"))).status, 405);
  let chunks = 0;
  const endless = new ReadableStream({
    pull(controller) { chunks += 1; controller.enqueue(new Uint8Array(1 << 20)); },
  });
  const request = new Request("http://x/hook", { method: "POST", body: endless, duplex: "half" });
  assert.equal((await handler(request)).status, 413);
  assert.ok(chunks < 6, `${chunks}`);
});

test("a token in quotes is taken only if that was asked for", async () => {
  const body = ` "${sign(hangup())}"\n`;
  await assert.rejects(createReceiver(quiet).verify(body));
  assert.equal((await createReceiver({ ...quiet, acceptQuoted: true }).verify(body)).kind, "call");
});

test("a line for the log names no person", async () => {
  const event = { ...hangup(), direction: "inbound", contact: { name: "Ada Byron" }, external_number: "+15550142" };
  const { summary, labels } = await createReceiver(quiet).verify(sign(event), { "Switchhook-Attempt": "3" });
  assert.equal(summary, `hangup inbound call ${event.call_id}`);
  assert.deepEqual(labels, { attempt: 3 });
});

test("words are the same whatever their case and separators", () => {
  assert.ok(sameWord("Call_Center", "callcenter"));
  assert.ok(!sameWord(null, "callcenter"));
  assert.ok(!sameWord("call_centre", "callcenter"));
});
