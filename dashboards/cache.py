"""Remembers what many sessions ask for, so that fifty open pages cost one query; and keeps the last answer when the next fails."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, cast

import structlog

from dashboards import resources
from warehouse.errors import RetryableError

T = TypeVar("T")
MOST_ENTRIES = 2_000
log = structlog.get_logger()


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A value and what is known about it."""

    value: T
    loaded_at: datetime
    is_stale: bool = False
    """True when asking anew failed and this is an older answer."""


@dataclass
class _Entry:
    lock: threading.Lock
    answer: Answer[object] | None = None
    fresh_until: float = 0.0


class Memory:
    """Answers by key for a while. The first session that asks does the work, the others wait for it."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._guard = threading.Lock()

    def ask(self, key: Hashable, lifetime_s: float, load: Callable[[], T]) -> Answer[T]:
        """The remembered answer, or that of `load`. After a RetryableError the older answer, marked stale, if there is one."""
        entry = self._entry(key)
        with entry.lock:
            if entry.answer is not None and time.monotonic() < entry.fresh_until:
                return cast("Answer[T]", entry.answer)
            entry.fresh_until = time.monotonic() + lifetime_s
            try:
                answer = Answer(load(), resources.installation().clock.now())
            except RetryableError as problem:
                log.warning("page_shows_older_data", key=str(key), problem=problem.message)
                if entry.answer is None:
                    entry.fresh_until = 0.0
                    raise
                answer = Answer(cast("T", entry.answer.value), entry.answer.loaded_at, is_stale=True)
            entry.answer = cast("Answer[object]", answer)
            return answer

    def forget(self, belongs: Callable[[Hashable], bool]) -> None:
        """Forgets the answers whose key `belongs`."""
        with self._guard:
            for key in [key for key in self._entries if belongs(key)]:
                del self._entries[key]

    def _entry(self, key: Hashable) -> _Entry:
        with self._guard:
            if len(self._entries) > MOST_ENTRIES:
                self._entries.clear()
            return self._entries.setdefault(key, _Entry(threading.Lock()))


_memory = Memory()


def ask(key: tuple[Hashable, ...], factory_id: int, lifetime_s: float, load: Callable[[], T]) -> Answer[T]:
    """`Memory.ask` of this process. The factory is its own argument so that no key can leave it out."""
    return _memory.ask((factory_id, id(resources.installation()), *key), lifetime_s, load)


def forget(factory_id: int) -> None:
    """Forgets what is remembered of one factory: after a change that the person must see at once."""
    _memory.forget(lambda key: isinstance(key, tuple) and key[0] == factory_id)
