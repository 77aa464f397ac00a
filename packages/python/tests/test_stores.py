"""The stores of the examples. That for Redis is asked by its own client, if SWITCHHOOK_TEST_REDIS says where a server is."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "examples"))

from redis_repeats import RepeatsInRedis  # noqa: E402
from sqlite_repeats import RepeatsInSqlite  # noqa: E402


class Stores(unittest.TestCase):
    def check(self, store, other):
        """`other` is the same store, as another process sees it."""
        self.assertEqual([store.begin("a"), other.begin("a"), store.begin("a")], ["first", "under_way", "under_way"])
        store.forget("a")
        self.assertEqual(other.begin("a"), "first")
        other.done("a", 60)
        self.assertEqual(store.begin("a"), "repeat")
        self.assertEqual(store.begin("b"), "first")

    def test_sqlite(self):
        now = [1000.0]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "seen.db")
            store = RepeatsInSqlite(path, lambda: now[0])
            self.check(store, RepeatsInSqlite(path, lambda: now[0]))
            now[0] += 60
            self.assertEqual([store.begin("a"), store.begin("b")], ["first", "first"])

    def test_redis(self):
        url = os.environ.get("SWITCHHOOK_TEST_REDIS")
        if not url:
            self.skipTest("SWITCHHOOK_TEST_REDIS names no server")
        import redis

        client = redis.Redis.from_url(url)
        self.check(*(RepeatsInRedis(client, f"python{os.getpid()}:") for _ in range(2)))


if __name__ == "__main__":
    unittest.main()
