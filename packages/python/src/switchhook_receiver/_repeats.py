"""Each event once: where it is remembered which events were dealt with."""

import threading
import time
from collections import OrderedDict
from typing import Callable, Dict, Protocol


class RepeatStore(Protocol):
    """Remembers which events were dealt with.

    The default is the memory of this process. Several processes, or functions that live for one request, need one
    outside: see the examples for SQLite and Redis. Called from many threads.
    """

    def begin(self, key: str) -> str:
        """Whose turn it is: ``first``, ``repeat`` or ``under_way``.

        ``first`` claims the key, so that nobody else gets ``first`` until ``done`` or ``forget``.
        """

    def done(self, key: str, window_seconds: float) -> None:
        """The event was dealt with: it is a repeat for so long."""

    def forget(self, key: str) -> None:
        """It was not: it may come again."""


class RepeatsInMemory:
    """Remembers in memory, the last 100,000 events unless said otherwise: after a restart every event is new.

    After ``claim_seconds``, an event whose handler never came to its end may be claimed again.
    """

    def __init__(
        self, events: int = 100_000, now: Callable[[], float] = time.monotonic, claim_seconds: float = 60
    ) -> None:
        self._events = events
        self._now = now
        self._claim_seconds = claim_seconds
        self._lock = threading.Lock()
        # In the order in which they were dealt with.
        self._until: "OrderedDict[str, float]" = OrderedDict()
        #: Until when each is claimed.
        self._under_way: Dict[str, float] = {}

    def begin(self, key: str) -> str:
        with self._lock:
            if self._under_way.get(key, float("-inf")) > self._now():
                return "under_way"
            if self._until.get(key, float("-inf")) > self._now():
                return "repeat"
            self._under_way[key] = self._now() + self._claim_seconds
            return "first"

    def done(self, key: str, window_seconds: float) -> None:
        with self._lock:
            self._under_way.pop(key, None)
            self._until.pop(key, None)
            self._until[key] = self._now() + window_seconds
            while self._until:
                oldest = next(iter(self._until))
                if len(self._until) <= self._events and self._until[oldest] > self._now():
                    break
                del self._until[oldest]

    def forget(self, key: str) -> None:
        with self._lock:
            self._under_way.pop(key, None)
