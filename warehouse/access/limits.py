"""How often one address may ask: a bucket of tokens an address, in this process's memory."""

import math
import threading
import time
from collections.abc import Callable


class RateLimit:
    """At most `per_minute` requests a minute by key, with bursts up to as many; 0: no limit. Safe in several threads."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic, most_keys: int = 50_000) -> None:
        self.per_minute, self._clock, self._most_keys = per_minute, clock, most_keys
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> int:
        """0 and a token less when the request may pass; else after how many seconds it may."""
        if not self.per_minute:
            return 0
        with self._lock:
            now = self._clock()
            tokens, seen = self._buckets.get(key, (float(self.per_minute), now))
            tokens = min(float(self.per_minute), tokens + (now - seen) * self.per_minute / 60)
            if tokens < 1:
                self._buckets[key] = (tokens, now)
                return math.ceil((1 - tokens) * 60 / self.per_minute)
            if key not in self._buckets and len(self._buckets) >= self._most_keys:
                self._forget_full(now)
            self._buckets[key] = (tokens - 1, now)
            return 0

    def _forget_full(self, now: float) -> None:
        """Those that have not asked for a minute are as if they had never asked; if nobody is, all begin anew."""
        self._buckets = {key: kept for key, kept in self._buckets.items() if now - kept[1] < 60}
        if len(self._buckets) >= self._most_keys:
            self._buckets.clear()
