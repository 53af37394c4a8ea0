"""Several processes that share the evaluator's shards: each holds a lease for every shard it works on, and takes its fair part of them.

    processes  a            a b          a b c         a c         (b was killed)
    shards     a a a a      a a b b      a a b c       a a c c

Who is there is a lease for each process. Everybody sorts the same names and so comes to the same parts without asking anybody.
A process that is killed is missed after 1.5 s; what it held is free at the same time.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from rules.evaluator import LEASE, TickSummary, hold, looks_free, run_standby, run_tick, shared_evaluator
from rules.figures import EVALUATOR
from rules.sharding import evaluator_shards
from rules.shared import shared_database
from warehouse.clock import Clock, SystemClock
from warehouse.errors import RetryableError
from warehouse.leases import Lease, forget_ended_leases, held_leases
from warehouse.settings import Settings
from warehouse.shards import Shard

MEMBERS: Final = "evaluator-process/"
LOOKS_EVERY_S: Final = 0.25
AFTER_AN_ERROR_S: Final = 1.0
FOREVER: Final = timedelta(days=36_500)
STOPS_WITHIN_S: Final = 5.0
log = structlog.get_logger()


def share_of(member: str, members: list[str], shards: int) -> int:
    """How many shards a process is to have: all equal, the first ones by name one more; none when it is not among `members`. Pure."""
    if member not in members:
        return 0
    rank = sorted(members).index(member)
    return shards // len(members) + (rank < shards % len(members))


@dataclass(frozen=True)
class Worker:
    """A thread that evaluates one shard while it holds the shard's lease."""

    thread: threading.Thread
    stop: threading.Event


class Crew:
    """This process among those that evaluate. For one thread; the shards have threads of their own."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings, self.clock, self.db = settings, clock or SystemClock(), shared_database(settings)
        self.member = Lease(self.db, MEMBERS + uuid4().hex, self.clock)
        self.workers: dict[Shard, Worker] = {}

    def look(self) -> int:
        """Gives up what is too much, takes what is free and missing; gives how many shards there are in all."""
        if not self.member.is_held:
            forget_ended_leases(self.db, MEMBERS, self.clock.now() - timedelta(minutes=1))
            self.member.acquire()
        self.member.keep()
        shards = evaluator_shards(self.db)
        share = share_of(self.member.name, held_leases(self.db, MEMBERS, self.clock.now()), len(shards))
        self.workers = {shard: worker for shard, worker in self.workers.items() if worker.thread.is_alive()}
        for number, (shard, worker) in enumerate(list(self.workers.items())):
            if number >= share or shard not in shards:
                worker.stop.set()
        for shard in shards:
            if len(self.workers) < share and shard not in self.workers:
                self._take(shard)
        return len(shards)

    def leave(self) -> None:
        """Gives everything back, so that the others need not wait for the leases to run out."""
        for worker in self.workers.values():
            worker.stop.set()
        for worker in self.workers.values():
            worker.thread.join(STOPS_WITHIN_S)
        self.workers = {}
        if self.member.is_held:
            self.member.forget()

    def _take(self, shard: Shard) -> None:
        lease = Lease(self.db, shard.named(LEASE), self.clock)
        if not (looks_free(lease) and lease.acquire()):
            return
        stop = threading.Event()
        # A daemon thread: the interpreter does not wait for it, and what it does is safe to be cut off.
        thread = threading.Thread(target=self._work, args=(shard, lease, stop), name=f"evaluator {shard.index} of {shard.of}", daemon=True)
        self.workers[shard] = Worker(thread, stop)
        log.info("evaluator_shard_taken", shard=shard.index, of=shard.of)
        thread.start()

    def _work(self, shard: Shard, lease: Lease, stop: threading.Event) -> None:
        try:
            evaluator = shared_evaluator(self.settings, self.clock, shard)
            hold(evaluator, lease, self.clock.now() + FOREVER, stop, self.settings.evaluator_poll_ms / 1000)
        except (SQLAlchemyError, RetryableError) as failed:
            log.warning("evaluator_shard_failed", shard=shard.index, of=shard.of, reason=str(failed)[:300])


def run_crew(settings: Settings, stop: threading.Event, *, leaves_one_shard_alone: bool = False) -> None:
    """Evaluates as one of several processes until `stop` is set. A database that is away is waited for.

    `leaves_one_shard_alone`: also until there is only one shard, which sensor ticks and their standby look after.
    """
    crew = Crew(settings)
    try:
        while not stop.is_set():
            try:
                if crew.look() == 1 and leaves_one_shard_alone:
                    return
            except (SQLAlchemyError, RetryableError) as away:
                log.warning("evaluator_crew_waits", reason=str(away)[:300])
                stop.wait(AFTER_AN_ERROR_S)
            stop.wait(LOOKS_EVERY_S)
    finally:
        try:
            crew.leave()
        except (SQLAlchemyError, RetryableError) as away:
            log.warning("evaluator_crew_left_in_a_hurry", reason=str(away)[:300])


def stand_by(settings: Settings, stop: threading.Event) -> None:
    """What goes on beside the sensor ticks: the standby of the only shard, or this process's part of several."""
    while not stop.is_set():
        run_standby(settings, stop)
        run_crew(settings, stop, leaves_one_shard_alone=True)


def tick(settings: Settings, ends_at: datetime, stop: threading.Event) -> TickSummary:
    """One sensor tick until `ends_at` (aware): evaluates the only shard, or tells what this process does with its part of several."""
    began = SystemClock().now()
    shards = evaluator_shards(shared_database(settings))
    if len(shards) == 1:
        return run_tick(settings, ends_at, stop)
    before = EVALUATOR.totals()
    stop.wait(max(0.0, (ends_at - began).total_seconds()))
    batches, readings, alerts = (now - then for now, then in zip(EVALUATOR.totals(), before, strict=True))
    known = [shared_evaluator(settings, None, shard) for shard in shards]
    return TickSummary(batches, readings, alerts, position=max(one.position for one in known))
