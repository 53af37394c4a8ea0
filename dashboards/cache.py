"""Remembers what many sessions ask for, so that fifty open pages cost one query; and keeps a page alive while the history is away.

What comes from the history may be twice as old as its lifetime: it is then shown at once, and asked anew behind it. Nobody waits longer
than PATIENCE_S: a page then shows the last answer, marked as old, or says what is missing. The query goes on behind it, and its answer
is there for the next refresh.
"""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, TypeVar, cast

import structlog

from dashboards import resources
from warehouse.errors import LakeBusyError, RetryableError

T = TypeVar("T")
MOST_ENTRIES: Final = 2_000
FORGOTTEN_AFTER_S: Final = 600.0
"""What nobody asked for in this time is let go; whoever looks at a page asks every few seconds."""
SWEPT_EVERY_S: Final = 60.0
PATIENCE_S: Final = 5.0
SHORT_PATIENCE_S: Final = 0.1
# After the lake failed once, other questions to it are not even tried for this long: each would wait as long again.
LAKE_REST_S: Final = 5.0
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
    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Answer[object] | None = None
    fresh_until: float = 0.0
    running: Future[None] | None = None
    asked_at: float = 0.0
    is_late: bool = False
    """Somebody has waited in vain for `running` already: others look only briefly."""


class Memory:
    """Answers by key for a while. The first session that asks starts the work, the others wait for the same."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._guard = threading.Lock()
        self._workers = ThreadPoolExecutor(8, thread_name_prefix="pages")
        self._inside = threading.local()
        self._lake_rests_until = 0.0
        self._swept_at = time.monotonic()

    def ask(self, key: Hashable, lifetime_s: float, load: Callable[[], T], *, needs_lake: bool = False) -> Answer[T]:
        """The remembered answer, or that of `load`. After a RetryableError the older answer, marked stale, if there is one."""
        entry = self._entry(key)
        try:
            if needs_lake and time.monotonic() < self._lake_rests_until and not self._is_fresh(entry):
                raise LakeBusyError("the history did not answer a moment ago")
            self._bring_up_to_date(entry, lifetime_s, load, needs_lake=needs_lake)
        except RetryableError as problem:
            if entry.answer is None:
                raise
            log.warning("page_shows_older_data", key=str(key), problem=problem.message)
            return Answer(cast("T", entry.answer.value), entry.answer.loaded_at, is_stale=True)
        return cast("Answer[T]", entry.answer)

    def forget(self, belongs: Callable[[Hashable], bool]) -> None:
        """Forgets the answers whose key `belongs`."""
        with self._guard:
            for key in [key for key in self._entries if belongs(key)]:
                del self._entries[key]

    def _is_fresh(self, entry: _Entry) -> bool:
        return entry.answer is not None and time.monotonic() < entry.fresh_until

    def _bring_up_to_date(self, entry: _Entry, lifetime_s: float, load: Callable[[], object], *, needs_lake: bool) -> None:
        def work() -> None:
            self._inside.worker = True
            try:
                entry.answer = Answer(load(), resources.installation().clock.now())
                entry.fresh_until = time.monotonic() + lifetime_s
            except LakeBusyError:
                self._lake_rests_until = time.monotonic() + LAKE_REST_S
                raise

        if getattr(self._inside, "worker", False):
            # An answer that needs another one: waiting for a second worker could wait for ever.
            if not self._is_fresh(entry):
                work()
            return
        with entry.lock:
            if self._is_fresh(entry):
                return
            if entry.running is None or entry.running.done():
                entry.running, entry.is_late = self._workers.submit(work), False
            running = entry.running
            if needs_lake and entry.answer is not None and time.monotonic() < entry.fresh_until + lifetime_s:
                # Nobody waits for what is only a little older: the next look shows what is being asked now.
                return
        try:
            running.result(SHORT_PATIENCE_S if entry.is_late else PATIENCE_S)
        except TimeoutError as waited:
            entry.is_late = True
            if needs_lake:
                self._lake_rests_until = time.monotonic() + LAKE_REST_S
            message = f"no answer within {PATIENCE_S:g} s"
            raise LakeBusyError(message) from waited

    def _entry(self, key: Hashable) -> _Entry:
        now = time.monotonic()
        with self._guard:
            if now - self._swept_at > SWEPT_EVERY_S or len(self._entries) > MOST_ENTRIES:
                self._sweep(now)
            entry = self._entries.setdefault(key, _Entry())
            entry.asked_at = now
            return entry

    def _sweep(self, now: float) -> None:
        """Lets go what nobody asks for any more; everything when that leaves too much."""
        kept = {key: entry for key, entry in self._entries.items() if now - entry.asked_at <= FORGOTTEN_AFTER_S}
        self._entries = kept if len(kept) <= MOST_ENTRIES else {}
        self._swept_at = now


_memory = Memory()


def ask(key: tuple[Hashable, ...], factory_id: int, lifetime_s: float, load: Callable[[], T]) -> Answer[T]:
    """`Memory.ask` of this process. The factory is its own argument so that no key can leave it out."""
    return _memory.ask((factory_id, id(resources.installation()), *key), lifetime_s, load)


def ask_lake(key: tuple[Hashable, ...], factory_id: int, lifetime_s: float, load: Callable[[], T]) -> Answer[T]:
    """As `ask`, for what reads the history: up to twice as old, and not tried again for a moment after the lake failed."""
    return _memory.ask((factory_id, id(resources.installation()), *key), lifetime_s, load, needs_lake=True)


def forget(factory_id: int) -> None:
    """Forgets what is remembered of one factory: after a change that the person must see at once."""
    _memory.forget(lambda key: isinstance(key, tuple) and key[0] == factory_id)
