"""The host's side of a report: runs the queries bound to one factory and snapshot, writes frames that a notebook may see."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars import selectors

from assets.reporting.analysis import analysis_frame
from assets.reporting.digest import digest_of, frame_digest
from assets.reporting.logo import logo_frame
from assets.reporting.parameters import REPORT_TYPES, ReportOrder, run_label
from assets.reporting.words import language
from warehouse.db import Database
from warehouse.lake import Lake, LakeReader
from warehouse.power_units import watts_a_unit
from warehouse.queries import availability, data_quality, energy_performance, report_data
from warehouse.queries.energy import METER_KIND
from warehouse.queries.history import interval_for
from warehouse.queries.summary import factory_of
from warehouse.settings import Settings
from warehouse.terms import POWER

FACTS: Final = "facts.json"
DETAIL_DEVICES: Final = 10
POINTS_A_LINE: Final = 400
BASELINE_DAYS: Final = 28
OPERATIONAL: Final = ("devices", "parameters", "alerts", "rules", "changes", "analysis", "logo")
"""Frames that do not come from the lake and so have no snapshot: they are kept with the report."""
_VERSIONS: Final = ("factoryops", "duckdb", "polars", "matplotlib", "typst", "pikepdf", "papermill", "openpyxl")


@dataclass(frozen=True)
class Collected:
    """What was written into the run directory."""

    facts: dict[str, Any]
    operational: dict[str, pl.DataFrame]


def collect(
    db: Database,
    lake: Lake,
    settings: Settings,
    factory_id: int,
    order: ReportOrder,
    folder: Path,
    *,
    snapshot_id: int | None = None,
    operational: dict[str, pl.DataFrame] | None = None,
) -> Collected:
    """Writes every frame and facts.json into `folder`.

    `snapshot_id` and `operational` are those of an earlier run when it is reproduced; otherwise the newest snapshot and the database
    as it is. Raises NotFoundError for no factory, LakeBusyError while the lake is away.
    """
    at_snapshot = lake.snapshot_id() if snapshot_id is None else snapshot_id
    factory = factory_of(db, factory_id)
    rows = operational if operational is not None else _operational(db, settings, factory_id, order)
    device_ids = rows["devices"]["device_id"].to_list()
    reader = lake.reader(factory_id, at_snapshot)
    frames = rows | _from_lake(reader, rows, device_ids, order, timedelta(minutes=settings.offline_after_minutes))
    digests = {name: frame_digest(frame) for name, frame in sorted(frames.items())}
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    facts = {
        "report_id": order.report_id,
        "run": run_label(factory.slug, order.start, factory.timezone, order.report_id),
        "report_type": order.report_type,
        "title": order.title or language(order.language)(REPORT_TYPES[order.report_type]),
        "language": order.language,
        "paper": order.paper,
        "factory": {"name": factory.name, "slug": factory.slug, "zone": factory.timezone},
        "start": order.start.astimezone(UTC).isoformat(),
        "end": order.end.astimezone(UTC).isoformat(),
        "previous_start": order.previous_start.astimezone(UTC).isoformat(),
        "prepared_at": order.prepared_at.astimezone(UTC).isoformat(),
        "keep_until": order.keep_until.isoformat() if order.keep_until is not None else None,
        "prepared_by": order.prepared_by,
        "prepared_for": order.prepared_for,
        "include_analytics": order.include_analytics,
        "offline_after_minutes": settings.offline_after_minutes,
        "snapshot_id": at_snapshot,
        "readings": int(frames["delays"]["readings"].sum()),
        "frames": {name: {"rows": frames[name].height, "sha256": digests[name]} for name in digests},
        "data_sha256": digest_of(digests),
        "versions": {name: version(name) for name in _VERSIONS},
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    return Collected(facts, rows)


def _operational(db: Database, settings: Settings, factory_id: int, order: ReportOrder) -> dict[str, pl.DataFrame]:
    devices = report_data.devices(db, factory_id, order.device_ids)
    device_ids = devices["device_id"].to_list()
    return {
        "devices": devices,
        "parameters": report_data.parameters(db, factory_id, device_ids),
        "alerts": report_data.alerts(db, factory_id, device_ids, order.previous_start, order.end, order.prepared_at),
        "rules": report_data.rules(db, factory_id),
        "changes": report_data.changes(db, factory_id, order.start, order.end),
        "analysis": analysis_frame(db, settings, factory_id, device_ids, order),
        "logo": logo_frame(settings, factory_id),
    }


def _from_lake(
    reader: LakeReader, rows: dict[str, pl.DataFrame], device_ids: list[int], order: ReportOrder, silent_after: timedelta
) -> dict[str, pl.DataFrame]:
    faults = _faults(rows["alerts"], order.end)
    power = rows["parameters"].filter(pl.col("parameter") == POWER)
    watts = watts_a_unit(dict(power.select("device_id", "unit").iter_rows()))
    slots = steady(availability.slots(reader, device_ids, order.previous_start, order.end, watts))
    grid = availability.state_grid(slots, device_ids, order.previous_start, order.end, faults, availability.typical_power(slots))
    detail = detail_devices(rows["devices"], rows["alerts"], grid, order)
    drawing = rows["devices"].filter(pl.col("kind") != METER_KIND)["device_id"].to_list()
    baseline_start = order.start - timedelta(days=BASELINE_DAYS)
    interval = interval_for(order.start, order.end, POINTS_A_LINE)
    first, last = worst_day(rows["alerts"], detail, order)
    return {
        "states": grid,
        "gaps": data_quality.gaps(reader, device_ids, order.start, order.end, silent_after),
        "gaps_before": data_quality.gaps(reader, device_ids, order.previous_start, order.start, silent_after),
        "delays": data_quality.delays(reader, device_ids, order.start, order.end),
        "series": steady(report_data.series(reader, detail, order.start, order.end, interval)),
        "extract": report_data.hourly_extract(reader, detail[0], first, last) if detail else _no_extract(),
        "detail": pl.DataFrame({"device_id": detail}, schema={"device_id": pl.Int32}),
        "energy": steady(energy_performance.energy_and_output(reader, drawing, baseline_start, order.end, watts)),
    }


def steady(frame: pl.DataFrame) -> pl.DataFrame:
    """Floats to seven significant digits; pure.

    Sums of several threads differ in their last bits from run to run; a reproduction must come to the same digest.
    """
    return frame.with_columns(selectors.float().round_sig_figs(7))


def _no_extract() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"parameter": pl.String, "hour": pl.Datetime("us", "UTC"), "ts": pl.Datetime("us", "UTC"), "value": pl.Float64}
    )


def _faults(alerts: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """When a critical alert stood on each machine, up to the end of the period."""
    return (
        alerts.filter(pl.col("severity") == "critical")
        .select("device_id", begin="triggered_at", end=pl.col("resolved_at").fill_null(end).clip(upper_bound=end))
        .cast(availability.FAULTS)
    )


def detail_devices(devices: pl.DataFrame, alerts: pl.DataFrame, grid: pl.DataFrame, order: ReportOrder) -> list[int]:
    """The machines that a report shows in detail, at most ten: those with the worst alerts, then the most energy; pure."""
    weights = {"critical": 1000.0, "high": 50.0, "medium": 4.0, "low": 1.0}
    raised = alerts.filter(pl.col("triggered_at") >= order.start)
    points = raised.group_by("device_id").agg(points=pl.col("severity").replace_strict(weights, return_dtype=pl.Float64).sum())
    energy = grid.filter(pl.col("bucket") >= order.start).group_by("device_id").agg(kwh=pl.col("kwh").sum())
    ranked = (
        devices.select("device_id", "device_key")
        .join(points, on="device_id", how="left")
        .join(energy, on="device_id", how="left")
        .with_columns(pl.col("points").fill_null(0), pl.col("kwh").fill_null(0))
        .sort(["points", "kwh", "device_key", "device_id"], descending=[True, True, False, False])
    )
    return [int(device) for device in ranked["device_id"].head(DETAIL_DEVICES)]


def worst_day(alerts: pl.DataFrame, detail: list[int], order: ReportOrder) -> tuple[datetime, datetime]:
    """The 24 hours around the worst alert of the first machine in detail; the last 24 hours when it had none; pure."""
    day = timedelta(hours=24)
    rank = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    mine = alerts.filter((pl.col("device_id") == (detail[0] if detail else -1)) & (pl.col("triggered_at") >= order.start)).sort(
        pl.col("severity").replace_strict(rank, return_dtype=pl.Int8), "triggered_at"
    )
    if not mine.height:
        return max(order.start, order.end - day), order.end
    centre = mine["triggered_at"][0].replace(minute=0, second=0, microsecond=0)
    first = max(order.start, min(centre - day / 2, order.end - day))
    return first, min(first + day, order.end)
