"""What a message, a reading, a question and a partition cost as an installation grows: devices, factories, days of history.

In one process and without a broker, so that each cost stands alone: `ingest` tells what a broker and processes add. Each point is a
fresh embedded installation, made and measured in seconds. docs/scaling.md shows the result (`scripts/document_scaling.py`).
"""

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from bench.ingest_plant import resident_mb
from bench.mqtt_load import device_key, payload
from bench.readings_plant import Group, Plant, fill, roll_up
from ingest.figures import IngestFigures
from ingest.flush import Incoming
from ingest.lander import Lander
from ingest.loader import Loader
from rules.evaluation import Evaluator
from rules.snapshot import pack
from warehouse import maintenance
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.alerting import Rule
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.queries.devices import device_list
from warehouse.queries.history import history
from warehouse.queries.live import live_values
from warehouse.settings import Settings
from warehouse.shards import Shard, share_out
from warehouse.tenancy import system_session

DEVICES_OF_ALL_FACTORIES: Final = 1_000
A_FLUSH: Final = 1_000
"""Messages a transaction: what comes in 50 ms at 20,000 msg/s."""
RULES: Final = 20
SHARDS: Final = 4
REPEATS: Final = 9
LONGEST_MS: Final = 3_000.0
NOW: Final = datetime(2026, 10, 1, 12, tzinfo=UTC)
HISTORY_START: Final = datetime(2025, 9, 1, tzinfo=UTC)
HISTORY_STEP_S: Final = 300
HISTORY_DEVICES: Final = 1
SLUG: Final = "plant-{}"


@dataclass(frozen=True)
class Sizes:
    """The points of the curves."""

    devices: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    factories: tuple[int, ...] = (1, 10, 100)
    days: tuple[int, ...] = (1, 30, 365)
    messages_after: int = 10_000


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Figures named `<what>_at_<number>_<of what>`; each of a fresh installation in the temporary folder."""
    return measured(Sizes(), progress)


def measured(sizes: Sizes, progress: Callable[[str], None]) -> dict[str, Any]:
    """The same for chosen points."""
    figures: dict[str, float] = {}
    for count in sizes.devices:
        progress(f"{count} devices")
        figures |= _named(_flow(1, count, sizes.messages_after), f"at_{count}_devices")
    for count in sizes.factories:
        progress(f"{DEVICES_OF_ALL_FACTORIES} devices in {count} factories")
        figures |= _named(_flow(count, DEVICES_OF_ALL_FACTORIES, sizes.messages_after), f"at_{count}_factories")
        figures |= _named(_partitions(count, progress), f"at_{count}_factories")
    figures |= _past(sizes.days, progress)
    notes = f"{RULES} rules that watch every device and never raise; 8 metrics a message; after each machine's first message 10,000 come."
    return {"name": "scaling", "figures": figures, "budgets": [], "notes": notes}


def _named(found: dict[str, float], suffix: str) -> dict[str, float]:
    return {f"{name}_{suffix}": round(value, 3) for name, value in found.items()}


@cache
def _migrated() -> bytes:
    """An empty operational database of this version."""
    with tempfile.TemporaryDirectory(prefix="factoryops-scaling-") as folder:
        file = Path(folder) / "factoryops.sqlite"
        db = Database(f"sqlite:///{file}")
        db.migrate()
        db.dispose()
        return file.read_bytes()


@contextmanager
def _installation(factories: int, devices: int) -> Iterator[tuple[Settings, Database, Lake]]:
    """A fresh one; devices are dealt out to the factories in turn."""
    with tempfile.TemporaryDirectory(prefix="factoryops-scaling-") as folder:
        settings = Settings(factoryops_home=Path(folder) / "home", app_env="demo")
        settings.home.mkdir()
        (settings.home / "factoryops.sqlite").write_bytes(_migrated())
        db = Database(settings.operational_url)
        with system_session(db, "set up a benchmark", write=True) as session:
            session.add_all(Factory(id=number + 1, name=f"Plant {number}", slug=SLUG.format(number)) for number in range(factories))
            session.flush()
            session.add_all(
                Device(id=number + 1, factory_id=number % factories + 1, device_key=device_key(number)) for number in range(devices)
            )
            for number in range(RULES):
                condition = {"parameter": "spindle_temp", "operator": "gt", "threshold": 1000 + number}
                facts = {"scope": "global", "severity": "low", "conditions": condition, "cooldown_minutes": 15}
                session.add(Rule(name=f"Rule {number}", factory_id=number % factories + 1, **facts))
        with closing(Lake(settings)) as lake:
            yield settings, db, lake
        db.dispose()


def _flow(factories: int, devices: int, messages_after: int) -> dict[str, float]:
    """The same messages landed, evaluated by one shard and by one of several, loaded, and asked for."""
    with _installation(factories, devices) as (settings, db, lake):
        clock = ManualClock(NOW)
        count = devices + messages_after
        first_us, then_us = _landed(db, clock, factories, devices, messages_after)
        figures = {"ingest_first_us_a_message": first_us, "ingest_us_a_message": then_us}
        before_mb = resident_mb(os.getpid())
        whole = Evaluator(db, app_url=settings.app_url, clock=clock)
        figures["evaluator_us_a_message"] = _stepped(whole) / count * 1e6
        figures["evaluator_memory_mb"] = max(0.0, resident_mb(os.getpid()) - before_mb)
        began = time.perf_counter()
        pack(whole._known_memory(), whole.position)  # noqa: SLF001  # nobody else needs it
        figures["evaluator_snapshot_ms"] = (time.perf_counter() - began) * 1000
        figures[f"evaluator_shard_of_{SHARDS}_us_a_message"] = _shard_s(db, settings, clock) / count * 1e6
        loader = Loader(db, lake, clock)
        lake.loader_position("main")  # makes the lake, which is not to be counted
        began = time.perf_counter()
        while loader.step():
            pass
        figures["loader_us_a_reading"] = (time.perf_counter() - began) / (count * 8) * 1e6
        figures["live_values_of_a_device_ms"] = _asked(lambda: live_values(db, 1, 1, NOW))
        figures["list_of_machines_ms"] = _asked(lambda: device_list(db, 1, NOW, timedelta(minutes=5)))
        figures["database_bytes_a_device"] = sum(one.stat().st_size for one in settings.home.glob("factoryops.sqlite*")) / devices
        return figures


def _landed(db: Database, clock: ManualClock, factories: int, devices: int, after: int) -> tuple[float, float]:
    """Microseconds a message: of the first of each machine, which brings its parameters, and of `after` that follow, machine by machine."""
    lander = Lander(db, IngestFigures(), clock, timedelta(days=30))
    first = _spent(lander, _messages(range(devices), factories, devices))
    return first, _spent(lander, _messages(range(devices, devices + after), factories, devices))


def _messages(numbers: range, factories: int, devices: int) -> Iterator[Incoming]:
    received_us = round(NOW.timestamp() * 1e6)
    for number in numbers:
        device = number % devices
        topic = f"factories/{SLUG.format(device % factories)}/devices/{device_key(device)}/telemetry"
        yield Incoming(topic, payload(number, NOW - timedelta(hours=1) + timedelta(milliseconds=number)), received_us)


def _spent(lander: Lander, messages: Iterator[Incoming]) -> float:
    """Microseconds a message; making the messages is not counted."""
    count, spent_s = 0, 0.0
    for flush in _batched(messages, A_FLUSH):
        began = time.perf_counter()
        lander.land(flush)
        spent_s += time.perf_counter() - began
        count += len(flush)
    return spent_s / count * 1e6


def _batched(messages: Iterator[Incoming], size: int) -> Iterator[list[Incoming]]:
    while found := list(itertools.islice(messages, size)):
        yield found


def _stepped(evaluator: Evaluator) -> float:
    evaluator.resume()
    began = time.perf_counter()
    while evaluator.step().batches:
        pass
    return time.perf_counter() - began


def _shard_s(db: Database, settings: Settings, clock: ManualClock) -> float:
    """Seconds that one of several shards takes for the same log; the others take as long, elsewhere."""
    with system_session(db, "begin again in a benchmark", write=True) as session:
        share_out(session, "evaluator", {Shard(index, SHARDS): (0, None) for index in range(SHARDS)}, NOW)
    return _stepped(Evaluator(db, app_url=settings.app_url, clock=clock, shard=Shard(1, SHARDS)))


def _partitions(factories: int, progress: Callable[[str], None]) -> dict[str, float]:
    """The first hours of a day of every factory: what a partition of Dagster's rollup assets costs each time that it is mended."""
    with _installation(factories, factories) as (_, _, lake):
        for number in range(factories):
            fill(lake, Plant(NOW.replace(hour=0), 1, (Group(number + 1, number + 1, 600),), number + 1), lambda _: None)
        began = time.perf_counter()
        roll_up(lake, NOW.replace(hour=5), tuple(range(1, factories + 1)), lambda _: None)
        progress(f"{factories} partitions rolled up")
        return {"partition_ms": (time.perf_counter() - began) / factories * 1000}


def _past(days: tuple[int, ...], progress: Callable[[str], None]) -> dict[str, float]:
    """Questions to a history that grows in one installation, by what answers them, and what it takes on the disk."""
    figures: dict[str, float] = {}
    with _installation(1, HISTORY_DEVICES) as (_, _, lake):
        for count in days:
            plant = Plant(HISTORY_START, count, (Group(1, HISTORY_DEVICES, HISTORY_STEP_S),))
            progress(f"{count} days of history")
            fill(lake, plant, lambda _: None)
            took_s = roll_up(lake, HISTORY_START + timedelta(days=count + 2), (1,), lambda _: None)
            end = HISTORY_START + timedelta(days=count)
            day = timedelta(days=1)

            def ask(span: timedelta, interval: timedelta, end: datetime = end) -> Callable[[], object]:
                return lambda: history(lake, 1, [1], ["power"], end - span, end, interval=interval)

            found = {
                "rollup_of_the_added_days_s": took_s,
                "minutes_of_a_day_ms": _asked(ask(day, timedelta(minutes=1))),
                "hours_of_all_ms": _asked(ask(timedelta(days=count), timedelta(hours=1))),
                "days_of_all_ms": _asked(ask(timedelta(days=count), day)),
                "bytes_a_reading": maintenance.live_bytes(lake) / plant.readings,
                "files": maintenance.live_files(lake),
            }
            figures |= _named(found, f"at_{count}_days")
    return figures


def _asked(question: Callable[[], object]) -> float:
    """Median ms."""
    question()
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONGEST_MS:
        began = time.perf_counter()
        question()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
