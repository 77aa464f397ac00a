"""Remembers repeats in Redis or Valkey, for any number of processes. `client` is one of the package `redis`.

    create_receiver(secret=..., repeats=RepeatsInRedis(redis.Redis()))
"""

#: After so long, an event whose handler never came to its end may be claimed again.
CLAIM_SECONDS = 60


class RepeatsInRedis:
    def __init__(self, client, prefix="dialpad:"):
        self._client = client
        self._prefix = prefix

    def begin(self, key):
        # Atomic: only one of those who ask at the same time sets it.
        if self._client.set(self._prefix + key, b"under_way", nx=True, ex=CLAIM_SECONDS):
            return "first"
        return "repeat" if self._client.get(self._prefix + key) == b"done" else "under_way"

    def done(self, key, window_seconds):
        self._client.set(self._prefix + key, b"done", px=int(window_seconds * 1000))

    def forget(self, key):
        self._client.delete(self._prefix + key)
