"""What a report needs from the lake and from the operational database, of one factory, at one snapshot."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import or_, select

from warehouse.db import Database
from warehouse.lake import LakeReader
from warehouse.models.alerting import Alert, Rule, RuleDevice
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import AuditEvent, User
from warehouse.models.work import AnalyticsJob
from warehouse.readings import UTC_TIME
from warehouse.tenancy import tenant_session

SERIES: Final = pl.Schema(
    {"device_id": pl.Int32(), "parameter": pl.String(), "bucket": UTC_TIME, "mean": pl.Float64(), "min": pl.Float64(), "max": pl.Float64(),
     "count": pl.Int64()}
)  # fmt: skip
DEVICES: Final = pl.Schema(
    {"device_id": pl.Int32(), "device_key": pl.String(), "name": pl.String(), "kind": pl.String(), "manufacturer": pl.String(),
     "model": pl.String(), "region": pl.String(), "created_at": UTC_TIME}
)  # fmt: skip
PARAMETERS: Final = pl.Schema(
    {"device_id": pl.Int32(), "parameter": pl.String(), "name": pl.String(), "unit": pl.String(), "is_kpi": pl.Boolean()}
)
ALERTS: Final = pl.Schema(
    {"alert_id": pl.Int64(), "device_id": pl.Int32(), "rule_id": pl.Int64(), "title": pl.String(), "severity": pl.String(),
     "message": pl.String(), "triggered_at": UTC_TIME, "acknowledged_at": UTC_TIME, "acknowledged_by": pl.String(),
     "resolved_at": UTC_TIME, "resolved_by": pl.String(), "comment": pl.String()}
)  # fmt: skip
RULES: Final = pl.Schema(
    {"rule_id": pl.Int64(), "name": pl.String(), "severity": pl.String(), "scope": pl.String(), "is_active": pl.Boolean(),
     "conditions": pl.String(), "device_ids": pl.List(pl.Int32())}
)  # fmt: skip
CHANGES: Final = pl.Schema(
    {"happened_at": UTC_TIME, "action": pl.String(), "target": pl.String(), "person": pl.String(), "reason": pl.String(),
     "before": pl.String(), "after": pl.String()}
)  # fmt: skip
# Changes that could alter a number of a report.
CHANGE_NOUNS: Final = ("rule.", "device.", "parameter.", "model.")


def devices(db: Database, factory_id: int, device_ids: Sequence[int]) -> pl.DataFrame:
    """DEVICES that are asked for (all active ones when none is named), sorted by region, kind and key."""
    with tenant_session(db, factory_id) as session:
        wanted = select(Device).where(Device.id.in_(device_ids) if device_ids else Device.is_active)
        rows = [
            (d.id, d.device_key, d.name or d.device_key, d.kind or "", d.manufacturer or "", d.model or "", d.region or "", d.created_at)
            for d in session.scalars(wanted)
        ]
    return pl.DataFrame(rows, schema=DEVICES, orient="row").sort("region", "kind", "device_key", "device_id")


def parameters(db: Database, factory_id: int, device_ids: Sequence[int]) -> pl.DataFrame:
    """PARAMETERS of those machines: KPIs first, then by key."""
    with tenant_session(db, factory_id) as session:
        rows = [
            (p.device_id, p.parameter_key, p.display_name or p.parameter_key, p.unit or "", p.is_kpi_selected)
            for p in session.scalars(
                select(DeviceParameter).where(DeviceParameter.device_id.in_(device_ids), DeviceParameter.data_type != "string")
            )
        ]
    return pl.DataFrame(rows, schema=PARAMETERS, orient="row").sort(
        ["device_id", "is_kpi", "parameter"], descending=[False, True, False]
    )  # fmt: skip


def alerts(db: Database, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime, as_of: datetime) -> pl.DataFrame:
    """ALERTS that stood at any time of [start, end), in order of time, as they were known at `as_of`: what came later is left out."""
    with tenant_session(db, factory_id) as session:
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
        found = session.execute(
            select(Alert, Rule.name)
            .join(Rule, Rule.id == Alert.rule_id)
            .where(Alert.device_id.in_(device_ids), Alert.triggered_at < end, Alert.created_at <= as_of)
            .where(or_(Alert.resolved_at.is_(None), Alert.resolved_at >= start, Alert.triggered_at >= start))
            .order_by(Alert.triggered_at, Alert.id)
        ).all()
        rows = [_alert(alert, title, names, as_of) for alert, title in found]
    return pl.DataFrame(rows, schema=ALERTS, orient="row")


def _alert(alert: Alert, title: str, names: dict[int, str], as_of: datetime) -> tuple[Any, ...]:
    seen = alert.acknowledged_at is not None and alert.acknowledged_at <= as_of
    over = alert.resolved_at is not None and alert.resolved_at <= as_of
    return (
        alert.id,
        alert.device_id,
        alert.rule_id,
        title,
        alert.severity,
        alert.message or "",
        alert.triggered_at,
        alert.acknowledged_at if seen else None,
        names.get(alert.acknowledged_by or 0, "") if seen else "",
        alert.resolved_at if over else None,
        names.get(alert.resolved_by or 0, "") if over else "",
        (alert.resolution_comment or "") if over else "",
    )


def rules(db: Database, factory_id: int) -> pl.DataFrame:
    """RULES of the factory; `conditions` is JSON text, `device_ids` is empty for a global rule."""
    with tenant_session(db, factory_id) as session:
        watched: dict[int, list[int]] = {}
        for link in session.scalars(select(RuleDevice)):
            watched.setdefault(link.rule_id, []).append(link.device_id)
        rows = [
            (r.id, r.name, r.severity, r.scope, r.is_active, json.dumps(r.conditions, sort_keys=True), sorted(watched.get(r.id, [])))
            for r in session.scalars(select(Rule).order_by(Rule.id))
        ]
    return pl.DataFrame(rows, schema=RULES, orient="row")


def changes(db: Database, factory_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """CHANGES in [start, end) that could alter a number of a report: rules, machines, parameters, models."""
    with tenant_session(db, factory_id) as session:
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
        found = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.happened_at >= start, AuditEvent.happened_at < end)
            .where(or_(*(AuditEvent.action.startswith(noun) for noun in CHANGE_NOUNS)))
            .order_by(AuditEvent.happened_at, AuditEvent.id)
        ).all()
        rows = [
            (
                e.happened_at, e.action, e.target, names.get(e.user_id or 0, ""), e.reason or "",
                json.dumps(e.before, sort_keys=True) if e.before else "", json.dumps(e.after, sort_keys=True) if e.after else "",
            )
            for e in found
        ]  # fmt: skip
    return pl.DataFrame(rows, schema=CHANGES, orient="row")


def analyses(
    db: Database, factory_id: int, job_id: str | None, device_ids: Sequence[int], start: datetime, end: datetime
) -> list[AnalyticsJob]:
    """The finished job `job_id`; without one the newest finished job of each type that looked at one of these machines in this period."""
    done = select(AnalyticsJob).where(AnalyticsJob.status == "complete")
    if job_id is not None:
        with tenant_session(db, factory_id) as session:
            return list(session.scalars(done.where(AnalyticsJob.id == job_id)))
    overlapping = done.where(AnalyticsJob.date_range_start < end, AnalyticsJob.date_range_end > start)
    newest: dict[str, AnalyticsJob] = {}
    with tenant_session(db, factory_id) as session:
        for job in session.scalars(overlapping.order_by(AnalyticsJob.created_at, AnalyticsJob.id)):
            if set(job.device_ids) & set(device_ids):
                newest[job.job_type] = job
    return [newest[kind] for kind in sorted(newest)]


def series(reader: LakeReader, device_ids: Sequence[int], start: datetime, end: datetime, interval: timedelta) -> pl.DataFrame:
    """SERIES of every numeric parameter of those machines in [start, end), sorted; buckets without readings are missing."""
    found = reader.query(
        """
        SELECT device_id, parameter, time_bucket(to_seconds($interval_s), ts, TIMESTAMPTZ 'epoch') AS bucket,
               avg(value) AS mean, min(value) AS min, max(value) AS max, count(*) AS count
        FROM telemetry WHERE device_id IN (SELECT unnest($devices)) AND ts >= $start AND ts < $end AND value IS NOT NULL
        GROUP BY ALL ORDER BY device_id, parameter, bucket
        """,
        {"interval_s": interval.total_seconds(), "devices": list(device_ids), "start": start, "end": end},
    )
    return found.cast(SERIES)


def hourly_extract(reader: LakeReader, device_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """The first reading of every hour of one machine in [start, end): columns parameter, hour, ts, value; sorted."""
    found = reader.query(
        """
        SELECT parameter, time_bucket(INTERVAL '1 hour', ts, TIMESTAMPTZ 'epoch') AS hour, min(ts) AS ts, arg_min(value, ts) AS value
        FROM telemetry WHERE device_id = $device_id AND ts >= $start AND ts < $end AND value IS NOT NULL
        GROUP BY ALL ORDER BY hour, parameter
        """,
        {"device_id": device_id, "start": start, "end": end},
    )
    return found.cast({"hour": UTC_TIME, "ts": UTC_TIME})


def wide_readings(
    reader: LakeReader, device_ids: Sequence[int], keys: Sequence[str], start: datetime, end: datetime, interval: timedelta | None
) -> pl.DataFrame:
    """One row a machine and moment, one column a parameter of `keys`; with `interval` the means of each interval.

    Columns: device_id, ts, then `p0`, `p1`, ... in the order of `keys`. Sorted by machine and time.
    """
    moment = "ts" if interval is None else "time_bucket(to_seconds($interval_s), ts, TIMESTAMPTZ 'epoch')"
    columns = ", ".join(f"avg(value) FILTER (parameter = $k{i}) AS p{i}" for i in range(len(keys)))
    bound: dict[str, Any] = {"devices": list(device_ids), "start": start, "end": end, "keys": list(keys)}
    bound |= {f"k{i}": key for i, key in enumerate(keys)}
    if interval is not None:
        bound["interval_s"] = interval.total_seconds()
    found = reader.query(
        f"SELECT device_id, {moment} AS moment, {columns} FROM telemetry WHERE device_id IN (SELECT unnest($devices)) "  # noqa: S608  # names are p0, p1, ...
        "AND parameter IN (SELECT unnest($keys)) AND ts >= $start AND ts < $end AND value IS NOT NULL "
        "GROUP BY ALL ORDER BY device_id, moment",
        bound,
    )
    return found.rename({"moment": "ts"}).cast({"ts": UTC_TIME})


def raw_pieces(
    reader: LakeReader, device_ids: Sequence[int], start: datetime, end: datetime, step: timedelta = timedelta(hours=6)
) -> Iterator[pl.DataFrame]:
    """All readings of those machines, unrounded, in pieces of `step`: device_id, parameter, ts, value, text, received_at; by time."""
    begin = start
    while begin < end:
        until = min(begin + step, end)
        piece = reader.query(
            "SELECT device_id, parameter, ts, value, text, received_at FROM telemetry WHERE device_id IN (SELECT unnest($devices)) "
            "AND ts >= $start AND ts < $end ORDER BY ts, device_id, parameter",
            {"devices": list(device_ids), "start": begin, "end": until},
        )
        yield piece.cast({"ts": UTC_TIME, "received_at": UTC_TIME})
        begin = until
