// The stores of the examples, in a runtime that has what they need: deno run -A --unstable-kv stores.mjs FOLDER [REDIS-URL].

import assert from "node:assert/strict";
import process from "node:process";
import { repeatsInKv } from "../examples/deno-kv.mjs";
import { repeatsInRedis } from "../examples/redis.mjs";
import { repeatsInSqlite } from "../examples/sqlite.mjs";

const [folder, redisUrl] = process.argv.slice(2);

/** `other` is the same store, as another process sees it. */
async function check(name, store, other) {
  const turns = await Promise.all([store.begin("a"), other.begin("a"), store.begin("a")]);
  assert.deepEqual(turns.sort(), ["first", "under_way", "under_way"], name);
  await store.forget("a");
  assert.equal(await other.begin("a"), "first", name);
  await other.done("a", 60_000);
  assert.equal(await store.begin("a"), "repeat", name);
  assert.equal(await store.begin("b"), "first", name);
  console.log(`${name}: right`);
}

let now = Date.now();
const sqlite = repeatsInSqlite(`${folder}/seen.db`, () => now);
await check("SQLite", sqlite, repeatsInSqlite(`${folder}/seen.db`, () => now));
now += 60_000;
assert.equal(await sqlite.begin("a"), "first", "SQLite: the window is over");
assert.equal(await sqlite.begin("b"), "first", "SQLite: a claim that nobody finished is over");

const kv = await Deno.openKv(":memory:");
const at = Date.now();
await check("Deno KV", repeatsInKv(kv), repeatsInKv(kv));
assert.equal(await repeatsInKv(kv, () => at + 120_000).begin("a"), "first", "Deno KV: the window is over");
kv.close();

if (redisUrl) {
  const { createClient } = await import("redis");
  const client = await createClient({ url: redisUrl }).connect();
  await check("Redis", repeatsInRedis(client), repeatsInRedis(client));
  client.destroy();
} else {
  console.log("Redis: skipped, `redis-server` does not run here");
}
process.exit(0);
