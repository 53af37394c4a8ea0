"""Who drives the evaluator: sensor ticks and a standby thread that contend for one lease, and drain the log while they hold it.

lease   tick A ======14 s======|                     |==== tick A ...
        tick B   (waits, 50 ms)|======14 s======|....|               gap: one look
        standby  (looks)                        |1 s |               takes over only when it stays free for over a second
"""

import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from rules import figures
from rules.baselines import LiveBaselines
from rules.doubts import Doubts
from rules.evaluation import BATCHES_A_STEP, CONSUMER, Evaluator, Step
from rules.shared import shared_database
from warehouse.clock import Clock, SystemClock
from warehouse.errors import LeaseLostError, RetryableError
from warehouse.lake import Lake
from warehouse.leases import Lease
from warehouse.log_watch import LogWatch
from warehouse.settings import Settings
from warehouse.shards import Shard
from warehouse.tracing import exporter_of

__all__ = ["CONSUMER", "LEASE", "Evaluator", "Step", "TickSummary", "drain", "run_standby", "run_tick", "shared_evaluator"]

LEASE: Final = "evaluator"
STANDBY_TAKES_AFTER: Final = timedelta(seconds=1)
STANDBY_HOLDS: Final = timedelta(seconds=10)
STANDBY_LOOKS_EVERY_S: Final = 0.25
STANDBY_GIVES_WAY_S: Final = 0.1
"""How long the standby leaves the lease alone between two holds: two looks of a sensor tick that waits for it."""
WAITING_LOOKS_EVERY_S: Final = 0.05
"""How often a contender looks at a lease that another one holds: the gap at a hand-over, and 1 % of a core."""
BUSY_FOR_S: Final = 1.0
"""How long after a batch it looks oftener: at a busy plant's alert that is 8 ms sooner, and an idle one is not asked 200 times a second."""
BUSY_LOOKS: Final = 4
"""How much oftener."""
log = structlog.get_logger()

_shared: dict[tuple[str, Shard], Evaluator] = {}
_shared_lock = threading.Lock()


@dataclass(frozen=True)
class TickSummary:
    """What a contender did in its time."""

    batches: int = 0
    readings: int = 0
    alerts: int = 0
    seconds_held: float = 0.0
    """How long it held the lease."""
    position: int = 0
    """Position in the landing log of the last evaluated batch."""
    too_late: int = 0
    """Readings more than two minutes behind their device's newest one, since the very first start; not evaluated."""

    def plus(self, step: Step) -> "TickSummary":
        """With one more step."""
        return replace(self, batches=self.batches + step.batches, readings=self.readings + step.readings, alerts=self.alerts + step.alerts)


def shared_evaluator(settings: Settings, clock: Clock | None = None, shard: Shard | None = None) -> Evaluator:
    """The evaluator of this process for the database of `settings`: contenders in one process go on with the same memory."""
    key = (settings.operational_url, shard or Shard())
    with _shared_lock:
        found = _shared.get(key)
        if found is None:
            db = shared_database(settings)
            usual = LiveBaselines(db, lambda: Lake(settings, threads=1, memory_limit="256MB"))
            found = Evaluator(db, app_url=settings.app_url, clock=clock or SystemClock(), baseline_at=usual, shard=shard)
            found.doubts = Doubts(db)
            found.exporter = exporter_of(settings.otlp_endpoint)
            _shared[key] = found
        return found


def drain(evaluator: Evaluator, lease: Lease, until: datetime, stop: threading.Event, *, poll_s: float) -> TickSummary:
    """Evaluates whatever lands until `until`, or until `stop` is set; the caller holds `lease`, which is renewed meanwhile.

    Raises LeaseLostError when another contender took over.
    """
    summary, began, behind = TickSummary(), time.monotonic(), False
    busy_until = began
    watch = LogWatch(evaluator.db)
    try:
        while not stop.is_set() and evaluator.clock.now() < until:
            lease.keep()
            if watch.landed() or behind:
                step = _stepped(evaluator)
                summary, behind = summary.plus(step), step.batches == BATCHES_A_STEP
                busy_until = time.monotonic() + BUSY_FOR_S
            if not behind:
                if alerts := evaluator.tick():
                    figures.EVALUATOR.alerts.inc(alerts)
                    summary = replace(summary, alerts=summary.alerts + alerts)
                evaluator.flush()
                stop.wait(poll_s if time.monotonic() > busy_until else poll_s / BUSY_LOOKS)
    finally:
        watch.close()
    return replace(summary, seconds_held=time.monotonic() - began, position=evaluator.position, too_late=evaluator.counts.too_late)


def _stepped(evaluator: Evaluator) -> Step:
    """One step, counted."""
    began = time.perf_counter()
    step = evaluator.step()
    figures.EVALUATOR.stepped(step.batches, step.readings, step.alerts, time.perf_counter() - began)
    if step.landed_at is not None:
        figures.EVALUATOR.lagged(step.landed_at, evaluator.clock.now())
        figures.EVALUATOR.too_late.labels(str(evaluator.shard.index)).set(evaluator.counts.too_late)
    return step


def run_tick(settings: Settings, ends_at: datetime, stop: threading.Event, *, evaluator: Evaluator | None = None) -> TickSummary:
    """One contender until `ends_at` (aware) or until `stop` is set: waits for the lease, drains while it holds it, gives it back.

    For a sensor tick; several may run at once, in one process or in many. Raises what the database raises, after giving the lease back.
    """
    evaluator = evaluator or shared_evaluator(settings)
    lease = Lease(evaluator.db, LEASE, evaluator.clock)
    poll_s = settings.evaluator_poll_ms / 1000
    total = TickSummary(position=evaluator.position)
    while not stop.is_set() and evaluator.clock.now() < ends_at and evaluator.is_wanted():
        if not _wait_for(lease, ends_at, stop):
            break
        total = _added(total, hold(evaluator, lease, ends_at, stop, poll_s))
    return total


def run_standby(settings: Settings, stop: threading.Event, *, evaluator: Evaluator | None = None) -> None:
    """The contender of last resort, until `stop` is set: takes the lease only when it stays free for over a second.

    While nobody else wants the lease it goes on; it gives way every ten seconds. Errors of the database are logged and tried again.
    Ends when the rules are shared out among several shards.
    """
    evaluator = evaluator or shared_evaluator(settings)
    lease = Lease(evaluator.db, LEASE, evaluator.clock)
    free_for = STANDBY_TAKES_AFTER
    while not stop.is_set():
        try:
            if not evaluator.is_wanted():
                return
            if looks_free(lease, free_for) and lease.acquire(free_for=free_for):
                log.info("standby_evaluates")
                hold(evaluator, lease, evaluator.clock.now() + STANDBY_HOLDS, stop, settings.evaluator_poll_ms / 1000)
                stop.wait(STANDBY_GIVES_WAY_S)
                free_for = timedelta(seconds=STANDBY_GIVES_WAY_S / 2)
                continue
        except (SQLAlchemyError, RetryableError) as failed:
            log.warning("standby_failed", reason=str(failed))
        free_for = STANDBY_TAKES_AFTER
        stop.wait(STANDBY_LOOKS_EVERY_S)


def hold(evaluator: Evaluator, lease: Lease, until: datetime, stop: threading.Event, poll_s: float) -> TickSummary:
    """Drains under a lease that was just taken and gives it back; when another contender takes it over that is no error."""
    figures.EVALUATOR.shards.inc()
    try:
        evaluator.resume()
        summary = drain(evaluator, lease, until, stop, poll_s=poll_s)
        evaluator.flush(snapshot=True)
    except LeaseLostError as lost:
        figures.EVALUATOR.lost.inc()
        log.info("evaluator_lease_lost", reason=lost.message)
        return TickSummary(position=evaluator.position)
    finally:
        figures.EVALUATOR.shards.dec()
        lease.release()
    return summary


def _wait_for(lease: Lease, until: datetime, stop: threading.Event) -> bool:
    """True once the lease is taken; looking is a read, so waiting contenders do not disturb the writers."""
    watch, free_at = LogWatch(lease.db), None
    try:
        while not stop.is_set() and lease.clock.now() < until:
            if watch.changed() or not lease.db.is_sqlite or (free_at is not None and lease.clock.now() >= free_at):
                info = lease.read()
                free_at = None if info is None else info.expires_at
                if (free_at is None or lease.clock.now() >= free_at) and lease.acquire():
                    return True
            stop.wait(WAITING_LOOKS_EVERY_S)
        return False
    finally:
        watch.close()


def looks_free(lease: Lease, free_for: timedelta = timedelta(0)) -> bool:
    """True when nobody held it for that long: a read, where taking it is a write."""
    info = lease.read()
    return info is None or info.expires_at <= lease.clock.now() - free_for


def _added(total: TickSummary, more: TickSummary) -> TickSummary:
    return TickSummary(
        batches=total.batches + more.batches,
        readings=total.readings + more.readings,
        alerts=total.alerts + more.alerts,
        seconds_held=total.seconds_held + more.seconds_held,
        position=more.position,
        too_late=more.too_late,
    )
