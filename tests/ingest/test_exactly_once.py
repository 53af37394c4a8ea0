"""The loader against a model: in whatever order and however often readings land, and whatever fails, each is in the lake once."""

import itertools
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.loader import Loader
from tests.ingest.conftest import Plant
from tests.warehouse.frames import START, readings
from warehouse import landing, latest
from warehouse.clock import ManualClock
from warehouse.errors import LakeBusyError
from warehouse.lake import Lake
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow  # a real lake
Event = tuple[int, str, int]
"""Machine, parameter, device time in seconds: a reading's key."""

# Around the borders that matter: the same moment, the two minutes that are remembered, the hour that a start looks back, and beyond.
SECONDS = st.one_of(st.integers(0, 5), st.integers(0, 300), st.integers(3_400, 3_800), st.integers(0, 20_000))
BATCH = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"]), SECONDS), min_size=1, max_size=6)
STEPS = st.lists(
    st.one_of(BATCH, BATCH, st.sampled_from(["load", "load", "again", "crash", "fails before the commit", "fails after the commit"])),
    min_size=2,
    max_size=14,
)
_numbers = itertools.count()


class FailingLake:
    """A lake whose next append fails: before it is committed, or after, when nobody can tell any more."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.fails = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def append(self, *args: Any, **kwargs: Any) -> None:
        fails, self.fails = self.fails, ""
        if fails == "fails before the commit":
            raise LakeBusyError(fails)
        self._lake.append(*args, **kwargs)
        if fails:
            raise LakeBusyError(fails)


class World:
    """The real landing log, lake and loader beside the model: the first value of each key counts."""

    def __init__(self, plant: Plant, lake: Lake) -> None:
        self.plant, self.lake, self.clock = plant, FailingLake(lake), ManualClock(START)
        self.device_ids = list(plant.device_ids.values())
        # Each example has parameters of its own, so that all can share one lake: opening one costs more than an example.
        self.example = next(_numbers)
        self.model: dict[Event, float] = {}
        self.last: list[Event] = []
        self.loader = self.new_loader()

    def new_loader(self) -> Loader:
        return Loader(self.plant.db, self.lake, self.clock, chunk_rows=8)  # type: ignore[arg-type]  # a lake that may fail

    def land(self, events: list[Event]) -> None:
        self.clock.advance(timedelta(seconds=30))
        rows = []
        for event in events:
            value = float(next(_numbers))
            self.model.setdefault(event, value)
            rows.append((self.device_ids[event[0]], f"{event[1]}{self.example}", float(event[2]), value))
        frame = readings(*rows, received_s=(self.clock.now() - START).total_seconds())
        with system_session(self.plant.db, "land in a test", write=True) as session:
            landing.append(session, frame, len(rows), self.clock.now())
            latest.move_forward(session, latest.newest(frame))
        self.last = events

    def load(self) -> None:
        while self.loader.step():
            pass

    def run(self, step: list[Event] | str) -> None:
        if isinstance(step, list):
            self.land(step)
        elif step == "again" and self.last:
            self.land(self.last)
        elif step == "crash":
            self.loader = self.new_loader()
        elif step.startswith("fails"):
            self.lake.fails = step
            try:
                self.load()
            except LakeBusyError:
                return
            self.lake.fails = ""
        else:
            self.load()

    def stored(self) -> list[tuple[Event, float]]:
        found = self.lake.reader(1).query(
            "SELECT device_id, parameter, ts, value FROM telemetry WHERE parameter IN ($a, $b)",
            {"a": f"a{self.example}", "b": f"b{self.example}"},
        )
        return [
            ((self.device_ids.index(device), name[0], round((ts - START).total_seconds())), value)
            for device, name, ts, value in found.select(pl.col("device_id", "parameter", "ts", "value")).rows()
        ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_each_reading_is_in_the_lake_once_with_its_first_value(plant: Plant, lake: Lake, steps: list[list[Event] | str]) -> None:
    world = World(plant, lake)
    for step in steps:
        world.run(step)
    world.load()
    assert sorted(world.stored()) == sorted(world.model.items())
