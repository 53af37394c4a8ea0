"""What the copilot looks at: everything known of some machines over a range, read within one factory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import select

from assets.analytics.contract import Inputs, NotEnoughDataError, Tell
from rules.messages import Label, label_of
from warehouse.day_figures import day_figures
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.models.devices import DeviceParameter
from warehouse.queries import analytics
from warehouse.queries.alerts import AlertFilter, AlertRow, list_alerts
from warehouse.queries.devices import DeviceRow, device_list
from warehouse.queries.history import history
from warehouse.tariffs import tariff_of
from warehouse.tenancy import tenant_session
from warehouse.terms import METER_KIND

HOUR: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=31)
MOST_ALERTS: Final = 5_000


@dataclass(frozen=True)
class Evidence:
    """All of one factory, of the machines that were asked for. Moments in UTC; `timezone` is how people there say them."""

    start: datetime
    end: datetime
    timezone: str
    machines: Sequence[DeviceRow]
    """As they are now, worst first."""
    labels: Mapping[tuple[int, str], Label]
    """Name and unit by machine and parameter."""
    levels: pl.DataFrame
    """Hourly means (device_id, parameter, bucket, mean) of the range and of the time before it, which is as long."""
    alerts: Sequence[AlertRow]
    """Raised in the range, newest first."""
    anomalies: pl.DataFrame
    risks: pl.DataFrame
    """Newest by machine and horizon."""
    energy: pl.DataFrame
    """`energy_days` of the range, without meters: they measure what others draw."""
    availability: pl.DataFrame
    """`availability_days` of the range."""
    forecast: pl.DataFrame
    """The factory's newest energy forecast; empty without one, or when only some machines were asked for."""
    currency: str
    """Empty without a tariff."""

    @property
    def keys(self) -> dict[int, str]:
        """Machine keys by id."""
        return {machine.id: machine.device_key for machine in self.machines}


def gather(inputs: Inputs, tell: Tell) -> Evidence:
    """Reads it all. Raises NotEnoughDataError when the machines sent nothing in the range, LakeBusyError."""
    inst, factory_id, start, end = inputs.installation, inputs.factory_id, inputs.start, inputs.end
    before = start - min(end - start, LONGEST)
    wanted = set(inputs.device_ids)
    tell(10, "reading machines and alerts")
    machines = _machines(inst, factory_id, wanted)
    labels = _labels(inst, factory_id, wanted)
    alerts = list_alerts(inst.db, factory_id, AlertFilter("all", since=start, until=end), limit=MOST_ALERTS)
    tell(30, "reading history")
    ids, parameters = sorted(wanted), sorted({parameter for _, parameter in labels})
    levels = history(inst.lake, factory_id, ids, parameters, before, end, interval=HOUR) if parameters else pl.DataFrame()
    if levels.is_empty() or levels.filter(pl.col("bucket") > start - HOUR).is_empty():
        raise NotEnoughDataError("these machines sent nothing in this range; choose another one, or other machines")
    tell(60, "reading what other analyses found")
    day = (start - timedelta(days=1)).astimezone(UTC)
    drawing = [machine.id for machine in machines if machine.kind != METER_KIND]
    return Evidence(
        start=start, end=end, timezone=factory_zones(inst.db)[factory_id][1], machines=machines, labels=labels,
        levels=levels.select("device_id", "parameter", "bucket", "mean"),
        alerts=[alert for alert in alerts if alert.device_id in wanted],
        anomalies=analytics.anomalies(inst.lake, factory_id, start, end, ids),
        risks=analytics.latest_risks(inst.lake, factory_id, end - LONGEST, ids),
        energy=_own(day_figures(inst.lake, factory_id, "energy_days", day, end), drawing, start),
        availability=_own(day_figures(inst.lake, factory_id, "availability_days", day, end), ids, start),
        forecast=_forecast(inst, factory_id, {machine.id for machine in device_rows(inst, factory_id)} <= wanted),
        currency=getattr(tariff_of(inst.db, factory_id), "currency", ""),
    )  # fmt: skip


def device_rows(inst: Installation, factory_id: int) -> list[DeviceRow]:
    """All active machines of the factory as they are now, worst first."""
    offline_after = timedelta(minutes=inst.settings.offline_after_minutes)
    return device_list(inst.db, factory_id, inst.clock.now(), offline_after)


def _machines(inst: Installation, factory_id: int, wanted: set[int]) -> list[DeviceRow]:
    return [row for row in device_rows(inst, factory_id) if row.id in wanted]


def _labels(inst: Installation, factory_id: int, wanted: set[int]) -> dict[tuple[int, str], Label]:
    with tenant_session(inst.db, factory_id) as session:
        rows = session.scalars(select(DeviceParameter).where(DeviceParameter.device_id.in_(wanted))).all()
        return {(row.device_id, row.parameter_key): label_of(row.parameter_key, row.display_name, row.unit) for row in rows}


def _own(figures: pl.DataFrame, ids: Sequence[int], start: datetime) -> pl.DataFrame:
    """Days that begin at most a day before the range: a day is counted where most of it lies."""
    return figures.filter(pl.col("device_id").is_in(list(ids)), pl.col("ts") >= start - timedelta(hours=12))


def _forecast(inst: Installation, factory_id: int, is_whole: bool) -> pl.DataFrame:  # noqa: FBT001  # one caller, by name of the value
    found = analytics.latest_forecast(inst.lake, factory_id, inst.clock.now())
    return found.filter(pl.col("ts") >= inst.clock.now()) if is_whole else found.clear()
