"""Fills an installation with the demo: two factories, people, machines, rules, a month of history and the alerts of that month.

Quick to call again, and safe to kill anywhere:

| step | done once because |
|---|---|
| factories, people, machines, rules | one transaction with the fact `demo`, which also fixes where the history begins and ends |
| each piece of history | its end is the position of the lake's loader shard `demo-history`, in the same lake transaction |
| newest values, alerts | one transaction with the same fact, marked as done |
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from ingest.simulator.demo_alerts import Watch
from ingest.simulator.demo_records import DEMO_FACT, Record, Seeding, demo_email, finish, register, set_demo_password
from ingest.simulator.demo_rules import RULES
from ingest.simulator.demo_tariffs import TARIFFS
from ingest.simulator.faults import PastScript
from ingest.simulator.history import DAY_S, OVERHAUL_S, Piece, finest_step_s, pieces, simulate_history, to_readings
from ingest.simulator.plant import FACTORIES, Kind, PlantFactory
from ingest.simulator.secrets import make_device_secret
from ingest.simulator.simulation import Metrics
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.streams import InstallationFact
from warehouse.tariffs import set_tariff, tariff_of
from warehouse.tenancy import system_session

HISTORY_SHARD: Final = "demo-history"
HISTORY_DAYS: Final = 30

Progress = Callable[[float, str], None]
"""Called with the share that is done (0 to 1) and what is being done."""


@dataclass(frozen=True)
class DemoSeed:
    """What there is to look at: where and as whom to sign in first, and whether anything had to be done."""

    factory: str
    email: str
    was_needed: bool


def is_seeded(db: Database) -> bool:
    """Whether the demo is complete."""
    with system_session(db, "is the demo complete?") as session:
        fact = session.get(InstallationFact, DEMO_FACT)
    return fact is not None and bool(fact.value.get("done"))


def seed_demo(installation: Installation, *, password: str, history_days: int = HISTORY_DAYS, progress: Progress | None = None) -> DemoSeed:
    """Brings the demo to completion; the database must be migrated.

    Afterwards the demo's people sign in with `password`; machines, rules and all else that is there already is left alone. Raises
    LakeBusyError while the lake is away; calling again goes on where it stopped. Run it before live data arrives: the history
    reaches up to the moment it ends.
    """
    db, tell = installation.db, progress or _silent
    first = FACTORIES[0]
    if is_seeded(db):
        set_demo_password(db, FACTORIES, password)
        return DemoSeed(first.name, demo_email(first), was_needed=False)
    tell(0.0, "factories, machines and rules")
    now_s = int(installation.clock.now().timestamp())
    seeding = register(db, FACTORIES, now_s, history_days * DAY_S, make_device_secret(installation.settings))
    set_demo_password(db, FACTORIES, password)
    for slug, tariff in TARIFFS.items():
        if tariff_of(db, seeding.factory_ids[slug]) is None:
            set_tariff(db, seeding.factory_ids[slug], tariff)
    watches = {factory.slug: Watch(factory, RULES[factory.slug]) for factory in FACTORIES}
    newest = _write_history(installation.lake, installation.clock, seeding, watches, tell)
    tell(0.98, "newest values and alerts")
    finish(db, seeding, newest, {slug: watch.alerts for slug, watch in watches.items()}, installation.clock.now())
    tell(1.0, "demo complete")
    return DemoSeed(first.name, demo_email(first), was_needed=True)


def _write_history(lake: Lake, clock: Clock, seeding: Seeding, watches: dict[str, Watch], tell: Progress) -> dict[tuple[int, str], Record]:
    """Writes what is still missing; returns the newest reading of each parameter of each machine."""
    written_s = lake.loader_position(HISTORY_SHARD)
    planned = pieces(seeding.begin_s, seeding.end_s)
    runs = [simulate_history(factory, planned, PastScript(factory, float(planned[-1].end_s))) for factory in FACTORIES if planned]
    newest: dict[tuple[int, str], Record] = {}
    for parts in zip(*runs, strict=True):
        piece, metrics = parts[0][0], [measured for _, measured in parts]
        for factory, measured in zip(FACTORIES, metrics, strict=True):
            watches[factory.slug].see(measured)
        missing, is_last_day = piece.end_s > written_s, piece.end_s > seeding.end_s - DAY_S
        if not (missing or is_last_day):
            continue
        frame = pl.concat([_frame(seeding, factory, m) for factory, m in zip(FACTORIES, metrics, strict=True)])
        if missing:
            lake.append(frame, loader=(HISTORY_SHARD, piece.end_s), after=written_s)
            written_s = piece.end_s
        if is_last_day:
            newest |= _newest(frame)
        day = datetime.fromtimestamp(piece.begin_s, UTC).date()
        tell(0.02 + 0.94 * (piece.end_s - planned[0].begin_s) / (planned[-1].end_s - planned[0].begin_s), f"history of {day}")
    return newest | _write_tail(lake, clock, seeding, written_s) if planned else newest


def _write_tail(lake: Lake, clock: Clock, seeding: Seeding, begin_s: int) -> dict[tuple[int, str], Record]:
    """What happened while the history was written, so that no gap is left before the live data."""
    newest: dict[tuple[int, str], Record] = {}
    end_s = int(clock.now().timestamp())
    for piece in _tail(begin_s, end_s):
        frames = [_frame(seeding, factory, metrics) for factory in FACTORIES for _, metrics in simulate_history(factory, [piece])]
        frame = pl.concat(frames)
        lake.append(frame, loader=(HISTORY_SHARD, piece.end_s), after=piece.begin_s)
        newest |= _newest(frame)
    return newest


def _tail(begin_s: int, end_s: int) -> list[Piece]:
    """Fine pieces of at most a day from the planned end to now; `begin_s` lies on a step already."""
    step_s = finest_step_s()
    end_s -= end_s % step_s
    return [Piece(cut, min(cut + DAY_S, end_s), step_s) for cut in range(begin_s, end_s, DAY_S)]


def _frame(seeding: Seeding, factory: PlantFactory, metrics: dict[Kind, Metrics]) -> pl.DataFrame:
    return to_readings(seeding.factory_ids[factory.slug], seeding.device_ids[factory.slug], metrics, seeding.end_s - OVERHAUL_S)


def _newest(frame: pl.DataFrame) -> dict[tuple[int, str], Record]:
    last = frame.group_by("device_id", "parameter", maintain_order=True).last()
    rows = last.select("device_id", "parameter", "factory_id", "ts", "value", "received_at").iter_rows()
    return {
        (device, parameter): Record(factory_id, ts, value, received_at) for device, parameter, factory_id, ts, value, received_at in rows
    }


def _silent(_share: float, _text: str) -> None:
    """Progress for callers that do not ask for it."""
