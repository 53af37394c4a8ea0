"""Key figures a machine and day of the factory, kept in the lake: energy and cost, states, effectiveness. Definitions: docs/kpis.md.

A day is computed anew from readings and rollups and replaced in one transaction: twice is once, and a reader sees the old day or the new.
Late and replayed readings mark the days that they touch (`warehouse.marks`): those are computed anew as well, and no others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import select

from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.factories import factory_zones
from warehouse.lake import Lake
from warehouse.marks import FIGURES, MARKS, Marks, take_marks
from warehouse.models.devices import Device
from warehouse.queries.availability import FAULTS
from warehouse.queries.energy import typical_power_w
from warehouse.queries.energy_use import Tariff, cost_by_device, hourly
from warehouse.queries.faults import fault_spans
from warehouse.queries.oee import oee, parts_by_hour
from warehouse.queries.states import availability, energy_by_state, power_minutes, timeline_of
from warehouse.readings import UTC_TIME
from warehouse.rollups import all_marks, kept_from, local_day_begin, local_day_end
from warehouse.tables import LAKE, RAW, SHAPES
from warehouse.tariffs import tariff_of
from warehouse.tenancy import tenant_session
from warehouse.upkeep import maintenance_events

_NEEDS: Final = {"energy_days": "1m", "availability_days": "1m", "oee_days": RAW}
"""The level that each table is computed from: of a day for which it has expired the figures stay as they are."""
TYPICAL_FROM: Final = timedelta(days=7)
"""What a machine draws while it works is learned from this long before the day."""


@dataclass(frozen=True)
class FactoryDay:
    """A day of a factory up to now, with what all its figures need."""

    factory_id: int
    timezone: str
    begin: datetime
    end: datetime
    """The day's end, or now while it runs."""
    device_ids: tuple[int, ...]
    states: pl.DataFrame
    """TIMELINE (`warehouse.queries.states`) of the machines."""
    hours: pl.DataFrame
    """Energy a machine and hour (`energy_use.hourly`)."""
    idle_kwh: Mapping[int, float]
    """Energy that was drawn while idle, by machine; those that did not idle are missing."""


def factory_days(db: Database, factory_id: int, now: datetime, days: int) -> list[tuple[datetime, datetime]]:
    """Begin and end (UTC) of the last `days` days of a factory, oldest first; today ends now. Raises NotFoundError."""
    zone = _zone(db, factory_id)
    found = [(local_day_begin(now, zone), now)]
    while len(found) < days:
        begin = local_day_begin(found[0][0] - timedelta(hours=1), zone)
        found.insert(0, (begin, local_day_end(begin, zone)))
    return found


def read_day(db: Database, lake: Lake, factory_id: int, begin: datetime, end: datetime) -> FactoryDay:
    """States and energy of [begin, end). Raises LakeBusyError."""
    with tenant_session(db, factory_id) as session:
        ids = tuple(session.scalars(select(Device.id).where(Device.is_active).order_by(Device.id)).all())
    typical = typical_power_w(lake, factory_id, begin - TYPICAL_FROM, end)
    faults = fault_times(db, factory_id, begin, end)
    power = power_minutes(lake, factory_id, ids, begin, end)
    states = timeline_of(power, lake, factory_id, ids, begin, end, typical_w=typical, faults=faults)
    idle = energy_by_state(power, states).filter(pl.col("state") == "idle")
    hours = hourly(lake, factory_id, begin, end)
    return FactoryDay(factory_id, _zone(db, factory_id), begin, end, ids, states, hours, dict(idle.select("device_id", "kwh").iter_rows()))


def fault_times(db: Database, factory_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """FAULTS: when a critical alert stood or a recorded failure lasted, within [start, end)."""
    recorded = maintenance_events(db, factory_id, start, end, kinds=["failure"])
    lasting = recorded.select("device_id", begin="began_at", end=pl.col("ended_at").fill_null(end))
    return pl.concat([fault_spans(db, factory_id, start, end).select(FAULTS.names()), lasting.cast(FAULTS)]).sort("device_id", "begin")


def energy_rows(day: FactoryDay, tariff: Tariff | None) -> pl.DataFrame:
    """Rows of `energy_days`; machines without power readings have none; pure."""
    prices = cost_by_device(day.hours, tariff, day.timezone) if tariff else {}
    kwh = day.hours.group_by("device_id").agg(pl.col("kwh").sum()).sort("device_id")
    rows = [
        (
            day.factory_id,
            device_id,
            day.begin,
            used,
            day.idle_kwh.get(device_id, 0.0),
            prices.get(device_id),
            used * tariff.carbon_kg_a_kwh if tariff else None,
        )
        for device_id, used in kwh.iter_rows()
    ]
    return _rows("energy_days", rows)


def availability_rows(day: FactoryDay) -> pl.DataFrame:
    """Rows of `availability_days`; a machine of which nothing was heard has its whole day as `nodata`; pure."""
    found = availability(day.states)
    rows = [
        (day.factory_id, device_id, day.begin, a.running_s, a.idle_s, a.fault_s, a.off_s, a.nodata_s, a.stops, a.failures)
        for device_id, a in found.items()
    ]
    return _rows("availability_days", rows)


def oee_rows(day: FactoryDay, parts: pl.DataFrame, ideal_an_hour: Mapping[int, float]) -> pl.DataFrame:
    """Rows of `oee_days`, of machines that counted parts (`oee.parts_by_hour`); pure."""
    counting = set(parts["device_id"].to_list())
    times = {device_id: found for device_id, found in availability(day.states).items() if device_id in counting}
    rows = [
        (day.factory_id, device_id, day.begin, o.availability, o.performance, o.quality, o.good_parts, o.rejected_parts)
        for device_id, o in oee(parts, times, dict(ideal_an_hour)).items()
    ]
    return _rows("oee_days", rows)


def record_energy(db: Database, lake: Lake, now: datetime, days: int) -> int:
    """Writes `energy_days` of the last days and of marked ones, all factories; returns how many rows. Raises LakeBusyError."""
    return _record(db, lake, now, days, "energy_days", lambda day: energy_rows(day, tariff_of(db, day.factory_id)))


def record_availability(db: Database, lake: Lake, now: datetime, days: int) -> int:
    """Writes `availability_days` of the last days and of marked ones, all factories; returns how many rows. Raises LakeBusyError."""
    return _record(db, lake, now, days, "availability_days", availability_rows)


def record_oee(db: Database, lake: Lake, now: datetime, days: int) -> int:
    """Writes `oee_days` of the last days and of marked ones, all factories; returns how many rows. Raises LakeBusyError."""

    def rows(day: FactoryDay) -> pl.DataFrame:
        # The rate that a machine reaches at its best is learned from the days before as well.
        before = parts_by_hour(lake, day.factory_id, day.device_ids, day.begin - TYPICAL_FROM, day.end)
        made = before.group_by("device_id", "bucket").agg(pl.col("parts").sum()).filter(pl.col("parts") > 0)
        best = made.group_by("device_id").agg(pl.col("parts").quantile(0.95, "nearest"))
        return oee_rows(day, before.filter(pl.col("bucket") >= day.begin), dict(best.iter_rows()))

    return _record(db, lake, now, days, "oee_days", rows)


def day_figures(lake: Lake, factory_id: int, table: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Rows of one of the three tables whose day begins in [start, end), by machine and day. Raises LakeBusyError."""
    if table not in FIGURES:
        raise NotFoundError(f"there are no figures {table}", noun="figures", key=table)
    question = f"SELECT * FROM {table} WHERE ts >= $start AND ts < $end ORDER BY device_id, ts"  # noqa: S608  # checked above
    found = lake.reader(factory_id).query(question, {"start": start, "end": end})
    return found.cast({"ts": UTC_TIME, "device_id": pl.Int32})


def _record(db: Database, lake: Lake, now: datetime, days: int, table: str, rows: Callable[[FactoryDay], pl.DataFrame]) -> int:
    written = 0
    # Before any reading is looked at: marks that come meanwhile stay.
    marks = all_marks(lake)
    for factory_id, (_, zone) in factory_zones(db).items():
        marked = _marked_days(marks, factory_id, table, zone)
        with lake.cursor() as cursor:
            expired_before = kept_from(cursor, factory_id, _NEEDS[table])
        recent = dict(factory_days(db, factory_id, now, days))
        older = {day: local_day_end(day, zone) for day in marked if day < min(recent)}
        for begin, end in (older | recent).items():
            is_kept = expired_before is None or begin >= expired_before
            found = rows(read_day(db, lake, factory_id, begin, end)) if is_kept and end > begin else None
            if found is None and begin not in marked:
                continue
            with lake.writer() as cursor:
                if found is not None:
                    cursor.execute(f"DELETE FROM {LAKE}.{table} WHERE factory_id = ? AND ts = ?", [factory_id, begin])  # noqa: S608  # a constant
                    cursor.register("figures", found.to_arrow())
                    cursor.execute(f"INSERT INTO {LAKE}.{table} SELECT * FROM figures")  # noqa: S608  # a constant
                    cursor.unregister("figures")
                if begin in marked:
                    take_marks(cursor, marked[begin], marks.seen)
            written += found.height if found is not None else 0
    return written


def _marked_days(marks: Marks, factory_id: int, table: str, timezone: str) -> dict[datetime, pl.DataFrame]:
    """The marks (MARKS) on days of a table, by the day's beginning; pure. Several when the factory's time zone was changed."""
    found: dict[datetime, list[datetime]] = {}
    for (bucket,) in marks.rows.filter(pl.col("factory_id") == factory_id, pl.col("level") == table).select("bucket").iter_rows():
        found.setdefault(local_day_begin(bucket, timezone), []).append(bucket)
    return {
        day: pl.DataFrame([(factory_id, table, bucket) for bucket in buckets], schema=MARKS, orient="row") for day, buckets in found.items()
    }


def _zone(db: Database, factory_id: int) -> str:
    zones = factory_zones(db)
    if factory_id not in zones:
        raise NotFoundError("there is no such factory", noun="factory", key=factory_id)
    return zones[factory_id][1]


def _rows(table: str, rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    types: dict[str, Any] = {"INTEGER": pl.Int32, "TIMESTAMPTZ": UTC_TIME, "DOUBLE": pl.Float64, "BIGINT": pl.Int64}
    schema = {name: types[kind] for name, kind in SHAPES[table].columns.items()}
    return pl.DataFrame(rows, schema=schema, orient="row")
