import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { createReceiver } from "@switchhook/receiver";
import { handler as forExpress } from "@switchhook/receiver/express";
import { plugin } from "@switchhook/receiver/fastify";
import { handler as forHono } from "@switchhook/receiver/hono";
import { lambda } from "@switchhook/receiver/lambda";
import { apiRoute, route } from "@switchhook/receiver/next";
import { edgeFunction } from "@switchhook/receiver/supabase";
import { hangup, SECRET, sign } from "./sign.mjs";

function receiving(options = { secret: SECRET }) {
  const seen = [];
  const troubles = [];
  const receiver = createReceiver({ ...options, report: ({ error }) => troubles.push(error.message) });
  return { receiver, handlers: { onCall: ({ payload }) => seen.push(payload.call_id) }, seen, troubles };
}

async function listening(server, use) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${server.address().port}/hook`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** What every server must do: take what is right under any content type, refuse what is wrong, and bound the body. */
async function checkServer(url, { seen }) {
  for (const type of ["application/jwt", "text/plain", "application/json", "application/x-www-form-urlencoded", ""]) {
    const event = hangup();
    const response = await fetch(url, { method: "POST", body: sign(event), headers: { "Content-Type": type } });
    assert.equal(response.status, 200, `${type}: ${await response.text()}`);
    assert.equal(seen.at(-1), String(event.call_id));
  }
  const post = async (body) => (await fetch(url, { method: "POST", body, headers: { "Content-Type": "application/jwt" } })).status;
  assert.equal(await post(sign(hangup(), "another")), 401);
  assert.equal(await post(JSON.stringify(hangup())), 401);
  assert.equal(await post(""), 400);
  assert.equal(await post("a".repeat(3 << 20)).catch(() => 413), 413);
}

test("Express", async () => {
  const to = receiving();
  const app = express().post("/hook", forExpress(to.receiver, to.handlers));
  await listening(createServer(app), (url) => checkServer(url, to));
});

test("Express with its parsers before the route: signed events pass by, what was parsed is told", async () => {
  const to = receiving();
  const app = express().use(express.json()).post("/hook", forExpress(to.receiver, to.handlers));
  await listening(createServer(app), async (url) => {
    const post = (type, body) => fetch(url, { method: "POST", body, headers: { "Content-Type": type } });
    assert.equal((await post("application/jwt", sign(hangup()))).status, 200);
    assert.equal((await post("application/json", JSON.stringify(hangup()))).status, 500);
    assert.match(to.troubles.at(-1), /before `app\.use\(express\.json\(\)\)`/);
  });
});

test("Express with a raw parser of its own", async () => {
  const to = receiving();
  const raw = express.raw({ type: () => true, limit: "2mb" });
  const app = express().post("/hook", raw, forExpress(to.receiver, to.handlers));
  await listening(createServer(app), async (url) => {
    const response = await fetch(url, { method: "POST", body: sign(hangup()) });
    assert.equal(response.status, 200);
  });
});

test("Fastify, whose own routes keep their parsers, even if the plugin is told to have no scope of its own", async () => {
  for (const wrap of [(plugin) => plugin, (plugin) => Object.assign(plugin, { [Symbol.for("skip-override")]: true })]) {
    const to = receiving();
    const app = fastify();
    app.register(wrap(plugin(to.receiver, to.handlers)), { path: "/hook" });
    app.post("/own", async (request) => request.body.of);
    await app.ready();
    await listening(app.server, async (url) => {
      await checkServer(url, to);
      const headers = { "Content-Type": "application/json" };
      const own = await fetch(url.replace("/hook", "/own"), { method: "POST", body: '{"of":"its own"}', headers });
      assert.equal(await own.text(), "its own");
    });
  }
});

test("Fastify with a hook that parses the body", async () => {
  const to = receiving();
  const app = fastify();
  app.addHook("preValidation", async (request) => { request.body = { parsed: String(request.body) }; });
  app.register(plugin(to.receiver, to.handlers), { path: "/hook" });
  assert.equal((await app.inject({ method: "POST", url: "/hook", payload: sign(hangup()) })).statusCode, 500);
  assert.match(to.troubles.at(-1), /let no hook of yours set `request\.body`/);
});

test("Hono, also after a middleware that read the body", async () => {
  const to = receiving();
  const app = new Hono();
  app.use("/read/*", async (context, next) => { await context.req.text(); await next(); });
  app.post("/hook", forHono(to.receiver, to.handlers)).post("/read/hook", forHono(to.receiver, to.handlers));
  for (const path of ["/hook", "/read/hook"]) {
    const response = await app.request(path, { method: "POST", body: sign(hangup()) });
    assert.equal(response.status, 200, path);
  }
  assert.equal((await app.request("/hook", { method: "POST", body: "x".repeat(3 << 20) })).status, 413);
});

test("AWS Lambda: function URLs, both formats of API Gateway, and load balancers", async () => {
  const to = receiving();
  const handler = lambda(to.receiver, to.handlers);
  const body = () => sign(hangup());
  const encoded = () => Buffer.from(body()).toString("base64");
  const http = { version: "2.0", requestContext: { http: { method: "POST", path: "/hook" } } };
  const rest = { httpMethod: "POST", path: "/hook", requestContext: { stage: "prod", httpMethod: "POST" } };
  const balancer = { httpMethod: "POST", requestContext: { elb: { targetGroupArn: "arn:aws:…" } } };
  const labels = { "Switchhook-Event-Id": "17" };
  const many = { "Switchhook-Event-Id": ["17"] };
  for (const [name, event, isMany] of [
    ["function URL", { ...http, body: body(), headers: { "content-type": "application/jwt" }, isBase64Encoded: false }],
    ["function URL, base64", { ...http, body: encoded(), headers: {}, isBase64Encoded: true }],
    ["REST API", { ...rest, body: body(), headers: labels, multiValueHeaders: many, isBase64Encoded: false }],
    ["REST API, binary", { ...rest, body: encoded(), headers: labels, multiValueHeaders: many, isBase64Encoded: true }],
    ["load balancer", { ...balancer, body: body(), headers: labels, isBase64Encoded: false }],
    ["load balancer, base64", { ...balancer, body: encoded(), headers: labels, isBase64Encoded: true }],
    ["load balancer, many values", { ...balancer, body: body(), multiValueHeaders: many, isBase64Encoded: false }, true],
  ]) {
    const count = to.seen.length;
    const answer = await handler(event);
    assert.deepEqual([answer.statusCode, answer.isBase64Encoded, to.seen.length], [200, false, count + 1], name);
    assert.deepEqual(answer.multiValueHeaders?.["Content-Type"], isMany && ["text/plain; charset=utf-8"], name);
  }
  assert.equal((await handler({ ...http, body: "x" })).statusCode, 400);
  assert.equal((await handler({ ...http })).statusCode, 400);
  assert.equal((await handler({ ...balancer, body: null, headers: {} })).statusCode, 400);
  assert.equal((await handler({ ...http, body: "AAAAA", isBase64Encoded: true })).statusCode, 400);
  const got = await handler({ requestContext: { http: { method: "GET" } } });
  assert.deepEqual([got.statusCode, got.headers.Allow], [405, "POST"]);
  for (const parsed of [{ ...http, body: { call_id: 1 } }, { call_id: 1, state: "hangup" }]) {
    assert.equal((await handler(parsed)).statusCode, 500);
    assert.match(to.troubles.pop(), /AWS_PROXY/);
  }
});

test("Next.js: route handlers, and API routes with and without the body parser", async () => {
  const to = receiving();
  const response = await route(to.receiver, to.handlers)(new Request("http://x", { method: "POST", body: sign(hangup()) }));
  assert.equal(response.status, 200);
  const pages = apiRoute(to.receiver, to.handlers);
  await listening(createServer(pages), (url) => checkServer(url, to));
  const parsing = async (request, answer) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    await pages(Object.assign(request, { body: JSON.parse(text) }), answer);
  };
  await listening(createServer(parsing), async (url) => {
    assert.equal((await fetch(url, { method: "POST", body: JSON.stringify(hangup()) })).status, 500);
    assert.match(to.troubles.at(-1), /bodyParser: false/);
  });
});

test("Supabase, and a receiver of unsigned events", async () => {
  const to = receiving({});
  const serve = edgeFunction(to.receiver, to.handlers);
  const post = async (body) => (await serve(new Request("http://x", { method: "POST", body }))).status;
  assert.equal(await post(JSON.stringify(hangup())), 200);
  assert.equal(await post(sign(hangup())), 401);
});
