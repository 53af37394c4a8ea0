"""Follows the landing log, evaluates rules and records alerts: each message once, whatever happens to the process.

What a step may lose when it is killed at any instruction: nothing. Alerts, cooldowns, outbox and cursor are one transaction, and evaluation
is a function of the log alone: batch by batch, in device time. A step that raised nothing need not move the cursor at once (it does
each second): doing it again raises nothing again.

    landing log   1 2 3 4 5 6 7 8 9 10 11 12
                        |         |        |
                 snapshot(4)   cursor(9)  memory(12)     after a kill: memory from the snapshot, 5-9 remembered silently (their alerts
                                                         are recorded), 10-12 evaluated again
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import polars as pl
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.book import Reading, evaluate, remember
from rules.engine import QUIET, Raised, triggered
from rules.memory import Counts, Memory
from rules.recording import Found, record
from rules.schedule import microseconds
from rules.snapshot import pack, unpack
from rules.store import RuleStore
from warehouse import landing
from warehouse.alerting import recent_triggers
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.models.devices import LatestValue
from warehouse.models.streams import ConsumerCursor
from warehouse.tenancy import system_session

CONSUMER: Final = "evaluator"
"""Name of the cursor in the landing log."""
BATCHES_A_STEP: Final = 20
FLUSH_EVERY: Final = timedelta(seconds=1)
SNAPSHOT_EVERY: Final = timedelta(seconds=5)
REPLAY_WITHOUT_SNAPSHOT: Final = 2_000
"""Batches before the cursor that are looked at when there is no snapshot; values that are older become known when they arrive again."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Step:
    """What one step did."""

    batches: int = 0
    readings: int = 0
    alerts: int = 0


class Evaluator:
    """One consumer of the landing log. Several may exist; the lease keeps them apart, and the cursor's fence when the lease fails."""

    def __init__(self, db: Database, *, app_url: str, clock: Clock) -> None:
        self.db, self.app_url, self.clock = db, app_url, clock
        self.store = RuleStore()
        self._lock = threading.Lock()
        self._memory: Memory | None = None
        self._position = 0
        """Of the last batch that is in memory."""
        self._committed = 0
        """Where the cursor stands in the database, as far as we know."""
        self._flushed_at: datetime | None = None
        self._snapshot_at: datetime | None = None
        self._snapshot_position = -1
        self._seeding_is_due = True

    @property
    def position(self) -> int:
        """Of the last batch that was evaluated."""
        return self._position

    @property
    def counts(self) -> Counts:
        """What became of the readings of watched parameters."""
        return self._memory.counts if self._memory else Counts()

    def resume(self) -> None:
        """Makes memory agree with the cursor in the database; call it after taking the lease. Cheap when nobody else was at work."""
        with self._lock, self._forgetting_on_error():
            self._resume()

    def step(self, limit: int = BATCHES_A_STEP) -> Step:
        """Evaluates the next batches, at most `limit`, and records what they raised; moves the cursor at least each second.

        Raises LeaseLostError when somebody else moved the cursor; then nothing was written, and the next step starts from there.
        """
        with self._lock, self._forgetting_on_error():
            if self._memory is None:
                self._resume()
            with system_session(self.db, "read landed batches") as session:
                self._refresh_rules(session)
                batches = landing.read_after(session, self._position, limit)
            found = [one for batch in batches for one in self._evaluate(batch)]
            alerts = self._commit(found) if found or self._is_flush_due() else 0
            if self._seeding_is_due and len(batches) < limit:
                self._seed()
            return Step(len(batches), sum(batch.readings.height for batch in batches), alerts)

    def flush(self, *, snapshot: bool = False) -> None:
        """Moves the cursor to where memory is, when that is due; with `snapshot` at once and with what is remembered beside it."""
        with self._lock, self._forgetting_on_error():
            if self._memory is None:
                return
            if snapshot and self._snapshot_position != self._position:
                self._commit([], snapshot=True)
            elif self._is_flush_due():
                self._commit([])

    def _evaluate(self, batch: landing.Batch) -> list[Found]:
        memory = self._known_memory()
        raised = evaluate(self.store.book, memory, readings_of(batch.readings))
        self._position = batch.position
        return [Found(one, telemetry_of(batch.readings, one)) for one in raised]

    def _commit(self, found: list[Found], *, snapshot: bool = False) -> int:
        now = self.clock.now()
        snapshot = snapshot or self._snapshot_at is None or now - self._snapshot_at >= SNAPSHOT_EVERY
        state = pack(self._known_memory(), self._position) if snapshot else None
        with system_session(self.db, "record alerts", write=True) as session:
            landing.move_cursor(session, CONSUMER, self._committed, self._position, state)
            alerts = record(session, found, now, self.app_url) if found else 0
        self._committed, self._flushed_at = self._position, now
        if snapshot:
            self._snapshot_at, self._snapshot_position = now, self._position
        return alerts

    def _is_flush_due(self) -> bool:
        if self._position == self._committed:
            return False
        return self._flushed_at is None or not timedelta(0) <= self.clock.now() - self._flushed_at < FLUSH_EVERY

    def _resume(self) -> None:
        with system_session(self.db, "resume the rule evaluator") as session:
            row = session.execute(
                select(ConsumerCursor.position, ConsumerCursor.state).where(ConsumerCursor.name == CONSUMER)
            ).one_or_none()
            cursor, state = (0, None) if row is None else row
            if self._memory is not None and cursor == self._committed:
                return
            self._refresh_rules(session)
            if self._memory is None or cursor < self._position:
                self._position, self._memory = _remembered(state, cursor)
            started, since = time.perf_counter(), self._position
            self._replay(session, cursor)
            self._load_triggers(session)
        self._committed, self._snapshot_position = cursor, -1
        log.info("evaluator_resumed", cursor=cursor, remembered_since=since, seconds=round(time.perf_counter() - started, 3))

    def _replay(self, session: Session, cursor: int) -> None:
        memory = self._known_memory()
        while self._position < cursor:
            batches = landing.read_after(session, self._position, 100)
            for batch in batches:
                if batch.position > cursor:
                    break
                remember(self.store.book, memory, readings_of(batch.readings))
            self._position = min(batches[-1].position, cursor) if batches else cursor

    def _load_triggers(self, session: Session) -> None:
        memory = self._known_memory()
        cooldowns = {rule.rule_id: rule.cooldown_us for rule in self.store.book.rules}
        memory.states.clear()
        for rule_id, device_id, at in recent_triggers(session):
            if rule_id in cooldowns:
                state = memory.states.get((rule_id, device_id), QUIET)
                memory.states[rule_id, device_id] = triggered(state, microseconds(at), cooldowns[rule_id])

    def _refresh_rules(self, session: Session) -> None:
        now = self.clock.now()
        if not self.store.is_due(now) or not self.store.refresh(session, now):
            return
        log.info("rules_loaded", rules=len(self.store.book.rules), broken=len(self.store.broken))
        self._seeding_is_due = True
        if self._memory is not None:
            self._memory.forget_unwatched(self.store.book.watched_parameters())
            self._load_triggers(session)

    def _seed(self) -> None:
        """Makes last values known that arrived before a rule watched them: a machine that reports on change may not repeat them for days.

        Only when the log is read to its end: `latest_values` tells of now, not of the moment of an old batch.
        """
        memory, book = self._known_memory(), self.store.book
        columns = (LatestValue.factory_id, LatestValue.device_id, LatestValue.parameter_key, LatestValue.ts, LatestValue.value)
        wanted = LatestValue.parameter_key.in_(book.watched_parameters())
        with system_session(self.db, "last values for new rules") as session:
            found = session.execute(select(*columns).where(wanted)).all()
        for factory_id, device_id, parameter, at, value in found:
            if value is not None and book.watches(factory_id, device_id, parameter):
                memory.device(device_id).seed(parameter, microseconds(at), value)
        self._seeding_is_due = False

    def _known_memory(self) -> Memory:
        if self._memory is None:
            raise RuntimeError("the evaluator has no memory yet: resume() first")
        return self._memory

    @contextmanager
    def _forgetting_on_error(self) -> Iterator[None]:
        """Memory may be ahead of what was recorded when something fails: the next step builds it again from the database."""
        try:
            yield
        except BaseException:
            self._memory = None
            raise


def readings_of(frame: pl.DataFrame) -> Iterator[Reading]:
    """The rows of a READINGS frame as the engine reads them: times in microseconds, texts as None."""
    columns = (frame[name] for name in ("factory_id", "device_id", "parameter", "ts", "received_at", "value"))
    return zip(*(column.to_physical().to_list() for column in columns), strict=True)


def telemetry_of(frame: pl.DataFrame, raised: Raised) -> dict[str, float | str]:
    """Everything that the device said at the moment of an alert, from the batch that raised it."""
    rows = frame.filter((pl.col("device_id") == raised.device_id) & (pl.col("ts").to_physical() == raised.at_us))
    said = {parameter: text if value is None else value for parameter, value, text in rows.select("parameter", "value", "text").rows()}
    return {parameter: value for parameter, value in said.items() if value is not None}


def _remembered(state: bytes | None, cursor: int) -> tuple[int, Memory]:
    """Where to replay from and with what: the snapshot, or nothing known some way before the cursor."""
    if state is not None:
        try:
            position, memory = unpack(state)
        except (msgspec.MsgspecError, ValueError, pl.exceptions.PolarsError) as unreadable:
            log.warning("evaluator_snapshot_unreadable", reason=str(unreadable), cursor=cursor)
        else:
            if position <= cursor:
                return position, memory
    return max(0, cursor - REPLAY_WITHOUT_SNAPSHOT), Memory()
