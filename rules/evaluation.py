"""Follows the landing log, evaluates rules and records alerts: each message once, whatever happens to the process.

What a step may lose when it is killed at any instruction: nothing. Alerts, cooldowns, outbox and cursor are one transaction, and evaluation
is a function of the log alone: batch by batch, in device time. A step that raised nothing need not move the cursor at once (it does
each second): doing it again raises nothing again.

    landing log   1 2 3 4 5 6 7 8 9 10 11 12
                        |         |        |
                 snapshot(4)   cursor(9)  memory(12)     after a kill: memory from the snapshot, 5-9 evaluated silently (their alerts
                                                         are recorded), 10-12 evaluated again
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.book import EVERY_DEVICE, evaluate, expect, plan_looks, tick
from rules.conditions import WHOLE_DEVICE
from rules.doubts import Doubts
from rules.engine import CLEARED, RAISED, Cleared, Event, Raised, Withdrawn, triggered
from rules.frames import readings_of, telemetry_of
from rules.measures import BaselineAt, no_baseline
from rules.memory import Counts, Memory
from rules.recording import Found, Over, record
from rules.schedule import microseconds, moment_of
from rules.snapshot import pack, remembered
from rules.store import RuleStore
from rules.tracing import trace_alerts
from rules.tracks import Track
from warehouse import landing
from warehouse.alerting import alerts_not_over, recent_triggers, withdraw_clears, withdraw_raises
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.models.devices import LatestValue
from warehouse.models.streams import ConsumerCursor
from warehouse.shards import Shard, require_shard, shard_count
from warehouse.tenancy import system_session
from warehouse.tracing import Exporter

CONSUMER: Final = "evaluator"
"""Name of the cursor in the landing log."""
BATCHES_A_STEP: Final = 20
FLUSH_EVERY: Final = timedelta(seconds=1)
SNAPSHOT_EVERY: Final = timedelta(seconds=5)
SNAPSHOT_SHARE: Final = 0.02
"""Of the time at most: 5,000 machines take 0.3 s, so they get one every 15 s."""
Happened = tuple[Event, Mapping[str, float | str]]
"""An event, and of an alert everything that the device said in the same message."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Step:
    """What one step did."""

    batches: int = 0
    readings: int = 0
    alerts: int = 0
    landed_at: datetime | None = None
    """When the newest of the batches landed."""


class Evaluator:
    """One consumer of the landing log. Several may exist; the lease keeps them apart, and the cursor's fence when the lease fails."""

    def __init__(
        self, db: Database, *, app_url: str, clock: Clock, baseline_at: BaselineAt = no_baseline, shard: Shard | None = None
    ) -> None:
        self.db, self.app_url, self.clock, self.baseline_at = db, app_url, clock, baseline_at
        self.shard = shard or Shard()
        self._consumer = self.shard.named(CONSUMER)
        self.exporter: Exporter | None = None
        self.doubts: Doubts | None = None
        self.store = RuleStore(self.shard)
        self._lock = threading.Lock()
        self._memory: Memory | None = None
        self._position = 0
        """Of the last batch that is in memory."""
        self._committed = 0
        """Where the cursor stands in the database, as far as we know."""
        self._flushed_at: datetime | None = None
        self._snapshot_at: datetime | None = None
        self._snapshot_position = -1
        self._snapshot_every = SNAPSHOT_EVERY
        self._seeding_is_due = True

    @property
    def position(self) -> int:
        """Of the last batch that was evaluated."""
        return self._position

    @property
    def counts(self) -> Counts:
        """What became of the readings of watched parameters."""
        return self._memory.counts if self._memory else Counts()

    def is_wanted(self) -> bool:
        """False when the rules were shared out anew, so that nobody needs this shard any more."""
        with system_session(self.db, "how the rules are shared out") as session:
            return shard_count(session, CONSUMER) == self.shard.of

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
            looked_at = self.clock.now()
            self._refresh_rules()
            with system_session(self.db, "read landed batches") as session:
                batches = [self._ours(batch) for batch in landing.read_after(session, self._position, limit)]
            found = [one for batch in batches for one in self._evaluate(batch)]
            if len(batches) < limit:
                found += self._tick(looked_at)
            alerts = self._commit(found) if found or self._is_flush_due() else 0
            if self._seeding_is_due and len(batches) < limit:
                self._seed()
            newest = batches[-1].landed_at if batches else None
            return Step(len(batches), sum(batch.readings.height for batch in batches), alerts, newest)

    def flush(self, *, snapshot: bool = False) -> None:
        """Moves the cursor to where memory is, when that is due; with `snapshot` at once and with what is remembered beside it.

        A snapshot that takes long is left out: whoever goes on in this process needs none, another one works through some of the log.
        """
        with self._lock, self._forgetting_on_error():
            if self._memory is None:
                return
            if snapshot and self._snapshot_position != self._position:
                self._commit([], snapshot=self._snapshot_every == SNAPSHOT_EVERY)
            elif self._is_flush_due():
                self._commit([])

    def tick(self) -> int:
        """Looks at what became true without any message; gives the number of alerts. Call it when the log was read to its end."""
        with self._lock, self._forgetting_on_error():
            if self._memory is None or not self._is_tick_due():
                return 0
            looked_at = self.clock.now()
            self._refresh_rules()
            with system_session(self.db, "is the landing log read to its end") as session:
                if landing.read_after(session, self._position, 1):
                    return 0
            found = self._tick(looked_at)
            return self._commit(found) if found else 0

    def _is_tick_due(self) -> bool:
        due = self._known_memory().due
        return bool(due) and due[0][0] <= microseconds(self.clock.now())

    def _tick(self, now: datetime) -> list[Happened]:
        if self.doubts is not None and self.doubts.is_unsure(now):
            return []
        return [(event, {}) for event in tick(self.store.book, self._known_memory(), microseconds(now), baseline_at=self.baseline_at)]

    def _ours(self, batch: landing.Batch) -> landing.Batch:
        """With the readings of this shard's factories only."""
        if self.shard.of == 1:
            return batch
        return replace(batch, readings=batch.readings.filter(pl.col("factory_id") % self.shard.of == self.shard.index))

    def _evaluate(self, batch: landing.Batch) -> list[Happened]:
        memory = self._known_memory()
        events = evaluate(self.store.book, memory, readings_of(batch.readings), baseline_at=self.baseline_at)
        self._position = batch.position
        trace_alerts(self.exporter, batch, events, self.clock.now())
        return [(event, telemetry_of(batch.readings, event) if isinstance(event, Raised) else {}) for event in events]

    def _commit(self, happened: list[Happened], *, snapshot: bool = False) -> int:
        now, state = self.clock.now(), None
        snapshot = snapshot or self._snapshot_at is None or now - self._snapshot_at >= self._snapshot_every
        if snapshot:
            began = time.perf_counter()
            state = pack(self._known_memory(), self._position, self.store.book.fingerprints())
            # What a snapshot costs is bounded too: no rule is evaluated meanwhile.
            self._snapshot_every = max(SNAPSHOT_EVERY, timedelta(seconds=time.perf_counter() - began) / SNAPSHOT_SHARE)
        with system_session(self.db, "record alerts", write=True) as session:
            landing.move_cursor(session, self._consumer, self._committed, self._position, state)
            alerts = record_events(session, happened, now, self.app_url) if happened else 0
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
            if self._memory is not None and landing.cursor(session, self._consumer) == self._committed:
                return
            require_shard(session, CONSUMER, self.shard)
            row = session.execute(
                select(ConsumerCursor.position, ConsumerCursor.state).where(ConsumerCursor.name == self._consumer)
            ).one_or_none()
            cursor, state = (0, None) if row is None else row
            self._look_for_rules(session)
            before: dict[int, str] = {}
            if self._memory is None or cursor < self._position or self._position != self._committed:
                self._position, self._memory, before = remembered(state, cursor)
            else:
                before = self.store.book.fingerprints()
            started, since = time.perf_counter(), self._position
            self._replay(session, cursor, before)
            self._agree_with_alerts(session, {rule_id for rule_id, known in before.items() if self._fingerprint(rule_id) == known})
        self._committed, self._snapshot_position = cursor, -1
        log.info("evaluator_resumed", cursor=cursor, remembered_since=since, seconds=round(time.perf_counter() - started, 3))

    def _replay(self, session: Session, cursor: int, before: dict[int, str]) -> None:
        """Brings memory to the cursor, silently. Rules that were not the same then begin at the cursor."""
        memory = self._known_memory()
        same = frozenset(rule_id for rule_id, known in before.items() if self._fingerprint(rule_id) == known)
        for key in [key for key in memory.tracks if key[0] not in same]:
            del memory.tracks[key]
        while self._position < cursor:
            batches = landing.read_after(session, self._position, 100)
            for batch in batches:
                if batch.position > cursor:
                    break
                evaluate(self.store.book, memory, readings_of(self._ours(batch).readings), baseline_at=self.baseline_at, only=same)
            self._position = min(batches[-1].position, cursor) if batches else cursor

    def _agree_with_alerts(self, session: Session, known: set[int]) -> None:
        """Cooldowns and alerts that are not over, for rules of which memory does not know them (`known`: those of which it does)."""
        memory, rules = self._known_memory(), self.store.book.by_id
        for rule_id, device_id, at in recent_triggers(session):
            if rule_id in rules and rule_id not in known:
                track = self._track(rule_id, device_id)
                track.floor = triggered(track.floor, microseconds(at), rules[rule_id].cooldown_us)
        for rule_id, device_id in alerts_not_over(session):
            if rule_id in rules and rule_id not in known:
                track = self._track(rule_id, device_id)
                track.floor = replace(track.floor, active_device=device_id)
        memory.look_back(self.store.book.windows)
        plan_looks(self.store.book, memory)

    def _track(self, rule_id: int, device_id: int) -> Track:
        key = (rule_id, EVERY_DEVICE if self.store.book.by_id[rule_id].is_quorum else device_id)
        return self._known_memory().tracks.setdefault(key, Track())

    def _fingerprint(self, rule_id: int) -> str | None:
        rule = self.store.book.by_id.get(rule_id)
        return None if rule is None else rule.fingerprint

    def _look_for_rules(self, session: Session) -> bool:
        if not self.store.refresh(session, self.clock.now()):
            return False
        log.info("rules_loaded", rules=len(self.store.book.rules), broken=len(self.store.broken))
        self._seeding_is_due = True
        return True

    def _refresh_rules(self) -> None:
        """Looks for changed rules; with a snapshot at once, so that whoever resumes does not run them over older batches."""
        if not self.store.is_due(self.clock.now()):
            return
        before = self.store.book.fingerprints()
        with system_session(self.db, "rules that changed") as session:
            if not self._look_for_rules(session):
                return
            memory = self._known_memory()
            memory.forget_unwatched(self.store.book.watched_parameters())
            same = {rule_id for rule_id, known in before.items() if self._fingerprint(rule_id) == known}
            for key in [key for key in memory.tracks if key[0] not in same]:
                del memory.tracks[key]
            self._agree_with_alerts(session, same)
        self._commit([], snapshot=True)

    def _seed(self) -> None:
        """Makes last values known that arrived before a rule watched them: a machine that reports on change may not repeat them for days.

        Only when the log is read to its end: `latest_values` tells of now, not of the moment of an old batch.
        """
        memory, book = self._known_memory(), self.store.book
        columns = (LatestValue.factory_id, LatestValue.device_id, LatestValue.parameter_key, LatestValue.ts)
        watched = book.watched_parameters()
        question = select(*columns, LatestValue.value, LatestValue.text).order_by(LatestValue.ts.desc())
        if self.shard.of > 1:
            question = question.where(LatestValue.factory_id % self.shard.of == self.shard.index)
        if WHOLE_DEVICE not in watched:
            question = question.where(LatestValue.parameter_key.in_(watched))
        with system_session(self.db, "last values for new rules") as session:
            found = session.execute(question).all()
        for factory_id, device_id, parameter, at, value, text in found:
            said = text if value is None else value
            if said is not None and book.watches(factory_id, device_id, parameter):
                memory.device(device_id).seed(parameter, microseconds(at), said)
            if book.watches(factory_id, device_id, WHOLE_DEVICE):
                memory.device(device_id).seed(WHOLE_DEVICE, microseconds(at), None)
        spoke: dict[tuple[int, int], int] = {}
        for factory_id, device_id, _, at, *_ in found:
            spoke[factory_id, device_id] = max(microseconds(at), spoke.get((factory_id, device_id), 0))
        for (factory_id, device_id), at_us in spoke.items():
            if device_id in memory.devices:
                expect(book, memory, factory_id, device_id, at_us)
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


def record_events(session: Session, happened: Sequence[Happened], now: datetime, app_url: str) -> int:
    """Writes what happened in the caller's transaction; gives how many triggers are new."""
    found = [Found(event, said) for event, said in happened if isinstance(event, Raised)]
    over = [Over(event.rule, event.device_id, event.at_us, event.rule.auto_resolve) for event, _ in happened if isinstance(event, Cleared)]
    gone = [event for event, _ in happened if isinstance(event, Withdrawn)]
    raises = [(event.rule.rule_id, event.device_id, moment_of(event.at_us)) for event in gone if event.kind == RAISED]
    clears = [(event.rule.rule_id, event.device_id, moment_of(event.at_us)) for event in gone if event.kind == CLEARED]
    touched = withdraw_raises(session, raises)
    withdraw_clears(session, clears)
    # An alert that would not have been: it is over from its beginning on, but stays in the history, for people were told.
    over += [
        Over(event.rule, event.device_id, event.at_us, event.rule.auto_resolve)
        for event in gone
        if event.kind == RAISED and not event.is_active
    ]
    count = record(session, found, now, app_url, over)
    for alert in touched:
        alert.repeat_count = max(0, alert.repeat_count)
    return count
