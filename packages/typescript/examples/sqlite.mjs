// Remembers repeats in SQLite, for several processes on one machine. Node 22.5 and newer, Deno; in Bun, `bun:sqlite` is alike.
//
//     createReceiver({ secret, repeats: repeatsInSqlite("seen.db") })

import { DatabaseSync } from "node:sqlite";

/** After so long, an event whose handler never came to its end may be claimed again. */
const CLAIM_MS = 60_000;

export function repeatsInSqlite(path, now = Date.now) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000");
  database.exec("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, until INTEGER NOT NULL, is_done INTEGER NOT NULL)");
  const claim = database.prepare(
    "INSERT INTO seen VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE SET until = excluded.until, is_done = 0 " +
      "WHERE until <= ? RETURNING key",
  );
  const known = database.prepare("SELECT is_done FROM seen WHERE key = ?");
  const finish = database.prepare("UPDATE seen SET until = ?, is_done = 1 WHERE key = ?");
  const remove = database.prepare("DELETE FROM seen WHERE key = ? AND is_done = 0");
  const clean = database.prepare("DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE until <= ? LIMIT 10)");
  return {
    begin(key) {
      if (claim.get(key, now() + CLAIM_MS, now())) return "first";
      return known.get(key)?.is_done ? "repeat" : "under_way";
    },
    done(key, windowMs) {
      finish.run(now() + windowMs, key);
      clean.run(now());
    },
    forget(key) {
      remove.run(key);
    },
  };
}
