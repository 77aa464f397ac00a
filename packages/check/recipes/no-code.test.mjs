// The code for n8n and Zapier, called as they call it, with the vectors.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(import.meta.url);
const SECRET = "both sides know ït";
const { vectors } = JSON.parse(readFileSync(process.env.VECTORS, "utf8"));
const chosen = vectors.filter(({ secrets, body }) => secrets.length === 1 && secrets[0] === SECRET && body !== undefined);
const genuine = chosen.filter(({ accept, small }) => accept === true && !small);
const forged = chosen.filter(({ refusal }) => ["wrong_signature", "unsigned", "other_algorithm", "no_algorithm"].includes(refusal));

function source(path) {
  return readFileSync(new URL(path, import.meta.url), "utf8");
}

function checkGenuine(eventOf) {
  assert.ok(genuine.length > 20);
  for (const { name, body, event, reads = {} } of genuine) {
    const found = eventOf(body);
    assert.deepEqual(Object.keys(found), Object.keys(JSON.parse(event)), name);
    if (reads.call_id) assert.equal(found.call_id, reads.call_id, name);
  }
}

function checkForged(eventOf) {
  assert.ok(forged.length > 20);
  for (const { name, body } of forged) assert.throws(() => eventOf(body), undefined, name);
}

test("n8n's Code node, which the workflow has as the page shows it: after the JWT node has verified", () => {
  const code = source("n8n/n8n-code-node.js");
  const { nodes } = JSON.parse(source("n8n/n8n-workflow.json"));
  assert.equal(nodes.find(({ name }) => name === "Event").parameters.jsCode, code);
  const run = new Function("$", code);
  checkGenuine((body) => run((node) => node === "Raw body" && { first: () => ({ json: { token: body } }) })[0].json);
});

test("Zapier's Code step", () => {
  const run = new Function("require", "inputData", `let output;\n${source("zapier/zapier-code-step.js")}\nreturn output;`);
  const eventOf = (body) => run(require, { body, secret: SECRET }).event;
  checkGenuine(eventOf);
  checkForged(eventOf);
});
