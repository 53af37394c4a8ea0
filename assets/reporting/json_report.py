"""The report as JSON for other systems: the same figures as the pages, in a documented form (`schema/report-1.json`); pure."""

from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
from pydantic import BaseModel, ConfigDict

from assets.reporting import measures
from assets.reporting.digest import canonical
from assets.reporting.run_data import RunData

SCHEMA: Final = "factoryops-report/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class MachineHours(_Part):
    """Machine hours by state; quarters of an hour."""

    running: float
    idle: float
    off: float
    fault: float
    nodata: float
    """Nothing was received: unknown, not zero."""
    availability: float | None
    """running / (running + idle + fault), 0 to 1; null when that is unknown."""


class Machine(_Part):
    """One machine in the period."""

    device_id: int
    device_key: str
    name: str
    kind: str
    region: str
    hours: MachineHours
    coverage: float
    """Share of the period in which it was heard, 0 to 1."""
    energy_kwh: float | None
    alerts: dict[str, int]
    """Number by severity."""
    health: int


class Alert(_Part):
    """One alert that was raised in the period, as it was known when the report was made."""

    alert_id: int
    device_id: int
    rule: str
    severity: str
    message: str
    triggered_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    comment: str


class Gap(_Part):
    """A silence of a machine."""

    device_id: int
    begin: datetime
    end: datetime


class Day(_Part):
    """One day on the factory's clock."""

    begin: datetime
    end: datetime
    hours: MachineHours
    energy_kwh: float | None


class AlarmQuality(_Part):
    """Measures of ISA-18.2 over the period."""

    total: int
    by_severity: dict[str, int]
    per_hour: float
    most_in_10_min: int
    top_ten_share: float | None
    standing: int
    acknowledged_in_time: dict[str, float | None]
    """Share by severity; null when none was raised."""


class ReportJson(_Part):
    """A whole report. Moments are UTC in ISO 8601."""

    schema_version: str
    report_id: str
    run: str
    report_type: str
    title: str
    factory: str
    time_zone: str
    start: datetime
    end: datetime
    prepared_at: datetime
    snapshot_id: int
    """State of the lake that the report was made from."""
    data_sha256: str
    """Digest of every value that was used."""
    readings: int
    hours: MachineHours
    coverage: float | None
    energy_kwh: float | None
    alarm_quality: AlarmQuality
    days: list[Day]
    machines: list[Machine]
    alerts: list[Alert]
    gaps: list[Gap]


def report_json(run: RunData) -> bytes:
    """The report in canonical JSON: the same report gives the same bytes."""
    facts, q = run.facts, run.quality
    quality = AlarmQuality(
        total=q.total, by_severity=q.by_severity, per_hour=round(q.per_hour, 6), most_in_10_min=q.most_in_10_min, top_ten_share=q.top_ten_share,
        standing=q.standing, acknowledged_in_time=q.acknowledged_in_time,
    )  # fmt: skip
    whole = ReportJson(
        schema_version=SCHEMA, report_id=facts["report_id"], run=facts["run"], report_type=facts["report_type"], title=facts["title"],
        factory=facts["factory"]["name"], time_zone=facts["factory"]["zone"], start=run.start, end=run.end, prepared_at=run.prepared_at,
        snapshot_id=facts["snapshot_id"], data_sha256=facts["data_sha256"], readings=facts["readings"], hours=_hours(run.hours),
        coverage=run.coverage_share, energy_kwh=run.total_kwh, alarm_quality=quality, days=_days(run), machines=_machines(run),
        alerts=[_alert(row) for row in run.alerts.iter_rows(named=True)],
        gaps=[Gap(**row) for row in run.gaps.select("device_id", "begin", "end").iter_rows(named=True)],
    )  # fmt: skip
    return canonical(whole.model_dump(mode="json"))


def json_schema() -> dict[str, Any]:
    """The JSON schema of `report_json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ReportJson.model_json_schema()}


def _hours(hours: measures.Hours) -> MachineHours:
    return MachineHours(
        running=hours.running, idle=hours.idle, off=hours.off, fault=hours.fault, nodata=hours.nodata, availability=hours.availability
    )


def _days(run: RunData) -> list[Day]:
    found = []
    for (begin, end), grid in zip(run.days, run.by_day, strict=True):
        drawing = grid.filter(~pl.col("device_id").is_in(list(run.metered)))
        found.append(
            Day(
                begin=begin.astimezone(UTC),
                end=end.astimezone(UTC),
                hours=_hours(measures.hours_of(grid)),
                energy_kwh=measures.energy_kwh(drawing),
            )
        )
    return found


def _machines(run: RunData) -> list[Machine]:
    shares = dict(run.coverage.select("device_id", "coverage").iter_rows())
    return [
        Machine(
            device_id=device, device_key=row["device_key"], name=row["name"], kind=row["kind"], region=row["region"],
            hours=_hours(run.hours_by_device[device]), coverage=shares[device], energy_kwh=run.energy.get(device),
            alerts=run.counts.get(device, {}), health=measures.health_of(run.counts.get(device, {})),
        )
        for device, row in run.device_rows.items()
    ]  # fmt: skip


def _alert(row: dict[str, Any]) -> Alert:
    return Alert(rule=row["title"], **{name: row[name] for name in Alert.model_fields if name != "rule"})
