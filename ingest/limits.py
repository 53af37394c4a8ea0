"""A bound on what one machine may send, so that a runaway does not take what the others need."""

import time
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from ingest.flush import Incoming

WINDOW_S: Final = 600.0
"""Over which the limit is meant: what a machine or the broker kept while something was away may come all at once."""
_topic_of: Final = attrgetter("topic")


@dataclass
class _Bucket:
    left: float
    at_s: float


@dataclass
class Excess:
    """Messages of one topic that were too many, and the last of them."""

    count: int
    message: Incoming


class DeviceLimits:
    """Lets `per_s` messages a second through from each topic, averaged over ten minutes; 0: all. For one thread.

    Costs one count a message and one look a topic and call.
    """

    def __init__(self, per_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._monotonic = per_s, per_s * WINDOW_S, monotonic
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, messages: Sequence[Incoming], known: Container[str]) -> tuple[Sequence[Incoming], dict[str, Excess]]:
        """Those that may pass, in their order, and by topic what was too many.

        Topics that are not `known` pass: their messages become dead letters, which have a bound of their own.
        """
        if not self._per_s:
            return messages, {}
        now_s = self._monotonic()
        allowed = {
            topic: granted
            for topic, count in Counter(map(_topic_of, messages)).items()
            if topic in known and (granted := self._take(topic, count, now_s)) < count
        }
        return self._split(messages, allowed) if allowed else (messages, {})

    def _take(self, topic: str, count: int, now_s: float) -> int:
        bucket = self._buckets.get(topic)
        if bucket is None:
            bucket = self._buckets[topic] = _Bucket(self._most, now_s)
        bucket.left = min(self._most, bucket.left + (now_s - bucket.at_s) * self._per_s)
        bucket.at_s = now_s
        granted = min(count, int(bucket.left))
        bucket.left -= granted
        return granted

    @staticmethod
    def _split(messages: Sequence[Incoming], allowed: dict[str, int]) -> tuple[Sequence[Incoming], dict[str, Excess]]:
        passed: list[Incoming] = []
        excess: dict[str, Excess] = {}
        for message in messages:
            left = allowed.get(message.topic)
            if left is None:
                passed.append(message)
            elif left:
                allowed[message.topic] = left - 1
                passed.append(message)
            elif found := excess.get(message.topic):
                found.count, found.message = found.count + 1, message
            else:
                excess[message.topic] = Excess(1, message)
        return passed, excess
