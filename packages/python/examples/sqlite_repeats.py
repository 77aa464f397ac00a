"""Remembers repeats in SQLite, for several processes on one machine.

    create_receiver(secret=..., repeats=RepeatsInSqlite("seen.db"))
"""

import sqlite3
import threading
import time

#: After so long, an event whose handler never came to its end may be claimed again.
CLAIM_SECONDS = 60


class RepeatsInSqlite:
    def __init__(self, path, now=time.time):
        self._now = now
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, until REAL NOT NULL, is_done INTEGER NOT NULL)"
        )

    def begin(self, key):
        now = self._now()
        claimed = self._run(
            "INSERT INTO seen VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE SET until = excluded.until, is_done = 0 "
            "WHERE until <= ?",
            (key, now + CLAIM_SECONDS, now),
        ).rowcount
        if claimed:
            return "first"
        known = self._run("SELECT is_done FROM seen WHERE key = ?", (key,)).fetchone()
        return "repeat" if known and known[0] else "under_way"

    def done(self, key, window_seconds):
        now = self._now()
        self._run("UPDATE seen SET until = ?, is_done = 1 WHERE key = ?", (now + window_seconds, key))
        self._run("DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE until <= ? LIMIT 10)", (now,))

    def forget(self, key):
        self._run("DELETE FROM seen WHERE key = ? AND is_done = 0", (key,))

    def _run(self, statement, values):
        with self._lock:
            return self._database.execute(statement, values)
