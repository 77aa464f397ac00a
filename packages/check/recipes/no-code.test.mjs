// The code for n8n and Zapier, called as they call it, with the vectors: it believes what is signed and nothing else.

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

async function check(eventOf) {
  assert.ok(genuine.length > 20 && forged.length > 20);
  for (const { name, body, event, reads = {} } of genuine) {
    const found = await eventOf(body);
    assert.deepEqual(Object.keys(found), Object.keys(JSON.parse(event)), name);
    if (reads.call_id) assert.equal(found.call_id, reads.call_id, name);
  }
  for (const { name, body } of forged) assert.equal(await eventOf(body), undefined, name);
}

test("n8n's Code node, which the workflow has as the page shows it", async () => {
  const code = source("n8n/n8n-code-node.js");
  const { nodes } = JSON.parse(source("n8n/n8n-workflow.json"));
  assert.equal(nodes.find(({ name }) => name === "Verify").parameters.jsCode, code);
  const run = new Function("require", "$env", `return (async () => {\n${code}\n})();`);
  await check(async (body) => {
    const helpers = { getBinaryDataBuffer: async (item, name) => (item === 0 && name === "data" ? Buffer.from(body) : undefined) };
    const [{ json }] = await run.call({ helpers }, require, { DIALPAD_WEBHOOK_SECRET: SECRET });
    return json.verified ? json.event : undefined;
  });
});

test("Zapier's Code step", async () => {
  const run = new Function("require", "inputData", `let output;\n${source("zapier/zapier-code-step.js")}\nreturn output;`);
  await check((body) => {
    try {
      return run(require, { body, secret: SECRET }).event;
    } catch {
      return undefined;
    }
  });
});
