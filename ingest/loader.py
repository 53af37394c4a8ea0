"""The loader: moves landed batches into the lake, each reading once.

    landing log --read after the lake's cursor--> deduplicate --sort--> one lake transaction: rows + cursor

The cursor lives in the lake, in the same transaction as the rows: a loader that dies at any instruction has either written a chunk and
moved past it, or neither. While the lake is away batches wait in the landing log, and are then loaded in large chunks.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ingest.backoff import Backoff
from ingest.figures import LoaderFigures
from ingest.stopping import stop_on_signals
from warehouse import heartbeat, landing, metrics
from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.disk import disk_problem
from warehouse.errors import BackfilledError, LakeBusyError, LeaseLostError
from warehouse.heartbeat import Heartbeat
from warehouse.housekeeping import trim_some
from warehouse.lake import INLINE_ROWS, Lake
from warehouse.maintenance import MANY_FILES, merge_small_files
from warehouse.models.devices import LatestValue
from warehouse.progress import BACKFILL
from warehouse.readings import KEY, WATERMARKS, DeduplicationState, deduplicate, learn, unknown
from warehouse.settings import Settings
from warehouse.sole import SoleProcess
from warehouse.tenancy import system_session

SHARD: Final = "main"
NAME: Final = "loader"
CONSUMERS: Final = ("evaluator",)
"""Who else reads the landing log; batches are kept until they have passed them as well."""
CHUNK_ROWS: Final = 300_000
"""One lake transaction holds about this many readings; bounds memory while catching up."""
BATCHES_A_READ: Final = 25
LOOK_BACK: Final = timedelta(hours=1)
"""How far before a device's newest reading its keys are fetched from the lake at the start; older readings are looked up one by one."""
TRIM_EVERY_S: Final = 10.0
log = structlog.get_logger()


class Loader:
    """One loader of one shard; for one thread."""

    def __init__(self, db: Database, lake: Lake, clock: Clock, *, chunk_rows: int = CHUNK_ROWS) -> None:
        self._db, self._lake, self._clock, self._chunk_rows = db, lake, clock, chunk_rows
        self.figures = LoaderFigures()
        self._state = unknown()
        self._position: int | None = None
        self._unsure: tuple[int, DeduplicationState] | None = None
        """What a commit would have led to of which we do not know whether it happened."""
        self._known_position = 0
        self._backfills: int | None = None
        """How many loads of history files had come when the state was begun; None before."""
        self.files_written = 0
        """Loads since the last `merge_when_many` that were too large for the catalog: each made a file a day that it touched."""

    @property
    def position(self) -> int:
        """Of the newest batch that is in the lake for certain."""
        return self._known_position

    def step(self) -> bool:
        """Loads the next chunk; True when more is likely to wait.

        Raises LakeBusyError or the database's own error while one of them is away, LeaseLostError when another loader was at work;
        call it again then: nothing was lost, and nothing will be written twice.
        """
        position = self._found_position()
        batches, is_full = self._next_batches(position)
        if not batches:
            return False
        began = time.perf_counter()
        readings = pl.concat([batch.readings for batch in batches])
        found = deduplicate(self._learned(readings), readings)
        late = found.late.join(self._lake.existing_keys(found.late), on=KEY, how="anti", maintain_order="left")
        fresh = pl.concat([found.fresh, late]) if late.height else found.fresh
        try:
            self._append(fresh, position, batches[-1].position, found.state)
        except BackfilledError:
            self._unsure, self._state, self._backfills = None, unknown(), None
            return True
        self._count(batches, fresh.height, readings.height, found.late.height, time.perf_counter() - began)
        return is_full

    def merge_when_many(self, most: int = MANY_FILES) -> bool:
        """Merges the files of the last loads when there are many; True when it did. Raises LakeBusyError."""
        if self.files_written < most:
            return False
        began = time.perf_counter()
        merge_small_files(self._lake)
        log.debug("loader_merged", loads=self.files_written, seconds=round(time.perf_counter() - began, 3))
        self.files_written = 0
        return True

    def _found_position(self) -> int:
        if self._position is not None:
            return self._position
        position = self._lake.loader_position(SHARD)
        if self._unsure is not None and position == self._unsure[0]:
            # The commit had happened after all.
            self._state = self._unsure[1]
        elif position != self._known_position:
            self._state, self._backfills = unknown(), None
        if self._backfills is None:
            # Before anything is learned of the lake: one that comes in between is noticed.
            self._backfills = self._lake.loader_position(BACKFILL)
        self._unsure = None
        self._position = self._known_position = position
        return position

    def _next_batches(self, position: int) -> tuple[list[landing.Batch], bool]:
        batches: list[landing.Batch] = []
        rows = 0
        while rows < self._chunk_rows:
            with system_session(self._db, "read landed batches") as session:
                more = landing.read_after(session, position, BATCHES_A_READ)
            batches += more
            rows += sum(batch.readings.height for batch in more)
            if len(more) < BATCHES_A_READ:
                return batches, False
            position = more[-1].position
        return batches, True

    def _learned(self, readings: pl.DataFrame) -> DeduplicationState:
        """The state with what storage knows of devices that it does not know yet."""
        state = self._state
        oldest = readings.group_by("device_id").agg(pl.col("ts").min().alias("oldest"))
        strangers = oldest.filter(~pl.col("device_id").is_in(list(state.devices)))
        if not strangers.height:
            return state
        now = self._clock.now()
        # Of a device that was deleted meanwhile nothing is known: a watermark that is too high is only slower.
        highest = pl.lit(now + timedelta(hours=1))
        watermarks = strangers.join(self._newest(), on="device_id", how="left").select(
            "device_id",
            pl.coalesce("newest", highest).alias("watermark"),
            pl.max_horizontal("oldest", pl.coalesce("newest", highest) - LOOK_BACK).alias("complete_from"),
        )
        watermarks = watermarks.cast(WATERMARKS)
        return learn(state, watermarks, self._lake.recent_keys(watermarks), now)

    def _newest(self) -> pl.DataFrame:
        """Device time of each device's newest landed reading: an upper bound of what the lake can hold of it."""
        with system_session(self._db, "newest reading of each device") as session:
            rows = session.execute(select(LatestValue.device_id, func.max(LatestValue.ts)).group_by(LatestValue.device_id)).all()
        schema = {"device_id": pl.Int32(), "newest": WATERMARKS["watermark"]}
        return pl.DataFrame([(device_id, newest) for device_id, newest in rows], schema=schema, orient="row")

    def _append(self, fresh: pl.DataFrame, position: int, new_position: int, state: DeduplicationState) -> None:
        self._position, self._unsure = None, (new_position, state)
        self._lake.append(fresh, loader=(SHARD, new_position), after=position, backfills=self._backfills)
        self.files_written += fresh.height >= INLINE_ROWS
        self._position, self._unsure, self._state = new_position, None, state
        self._known_position = new_position

    def _count(self, batches: list[landing.Batch], fresh: int, rows: int, late: int, seconds: float) -> None:
        figures = self.figures
        figures.batches.inc(len(batches))
        figures.readings.inc(fresh)
        figures.repeated.inc(rows - fresh)
        figures.late.inc(late)
        figures.load_s.observe(seconds)
        figures.lag_s.set(max(0.0, (self._clock.now() - batches[-1].landed_at).total_seconds()))
        figures.remembered.set(self._state.remembered_rows)


class LoaderProcess:
    """A loader with everything around it: the lock, retries, trimming of the landing log, signs of life."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._db = Database(settings.operational_url)
        # A second thread makes a load hardly shorter and costs half as much again: measured in docs/performance.md.
        self._lake = Lake(settings, threads=1)
        self._sole = SoleProcess(self._db, settings, f"loader-{SHARD}")
        self._loader = Loader(self._db, self._lake, self._clock)
        self._backoff = Backoff(0.2, 5.0)
        self._beat_at = self._trim_at = 0.0
        self._problem = ""

    def run(self, stop: threading.Event) -> None:
        """Loads until `stop` is set."""
        try:
            if self._wait_for_turn(stop):
                log.info("loader_started", interval_ms=self._settings.loader_interval_ms)
                self._load(stop)
                self._on_database("goodbye_failed", lambda: heartbeat.say_goodbye(self._db, NAME))
        finally:
            self._sole.release()
            self._lake.close()
            self._db.dispose()
            log.info("loader_stopped", position=self._loader.position)

    def _wait_for_turn(self, stop: threading.Event) -> bool:
        told = False
        while not stop.is_set():
            if self._sole.acquire():
                return True
            if not told:
                log.info("loader_waits", reason="another loader is at work")
                told = True
            stop.wait(0.5)
        return False

    def _load(self, stop: threading.Event) -> None:
        interval_s = self._settings.loader_interval_ms / 1000
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._sole.check()
                self._require_room()
                is_behind = self._loader.step()
                self._loader.merge_when_many()
                self._succeeded()
                # From beginning to beginning; other writers of the lake get their turn between two loads.
                pause_s = 0.0 if is_behind else max(interval_s / 2, interval_s - (time.monotonic() - began))
            except (LakeBusyError, LeaseLostError, SQLAlchemyError) as failed:
                pause_s = self._failed(failed)
                if isinstance(failed, LeaseLostError) and not self._wait_for_turn(stop):
                    return
            self._trim_when_due()
            self._beat_when_due()
            stop.wait(pause_s)

    def _require_room(self) -> None:
        if no_room := disk_problem(self._settings.home, self._settings.disk_floor_mb):
            raise LakeBusyError(no_room, folder=str(self._settings.home))

    def _succeeded(self) -> None:
        if self._problem:
            log.info("loader_works_again", position=self._loader.position)
        self._problem = ""
        self._backoff.reset()

    def _failed(self, failed: Exception) -> float:
        if not self._problem:
            log.warning("loader_waits", reason=str(failed)[:500], advice="ingest and alerts go on; batches wait in the landing log")
        self._problem = str(failed)[:300]
        self._loader.figures.retries.inc()
        return self._backoff.next_s()

    def _trim_when_due(self) -> None:
        if time.monotonic() < self._trim_at or not self._loader.position:
            return
        self._trim_at = time.monotonic() + TRIM_EVERY_S
        before = self._clock.now() - timedelta(minutes=self._settings.landing_keep_minutes)
        self._on_database("trim_failed", lambda: self._trim(before))

    def _trim(self, landed_before: datetime) -> None:
        most_bytes = self._settings.landing_max_mb * 1_000_000
        while trim_some(self._db, landed_before, CONSUMERS, self._loader.position, most_bytes=most_bytes):
            self._beat_when_due()

    def _beat_when_due(self) -> None:
        if time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + heartbeat.EVERY.total_seconds()
        told = [*metrics.process_samples(), *metrics.samples(self._loader.figures.registry)]
        sign = Heartbeat(NAME, self._clock.now(), self._problem, told)
        self._on_database("heartbeat_failed", lambda: heartbeat.beat(self._db, sign))

    def _on_database(self, event: str, work: Callable[[], object]) -> None:
        """What is good to have done, and no reason to stop when it cannot be done now."""
        try:
            work()
        except SQLAlchemyError as away:
            log.warning(event, problem=str(away)[:200])


def run_loader(settings: Settings, stop: threading.Event | None = None) -> None:
    """Moves landed readings into the lake until `stop` is set; without one, until SIGINT or SIGTERM. Stops within 5 s."""
    LoaderProcess(settings).run(stop or stop_on_signals())
