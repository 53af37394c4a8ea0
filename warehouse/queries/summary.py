"""The numbers of the overview page and of GET /dashboard/summary."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from warehouse.db import Database
from warehouse.health import HealthScore, factory_health
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.queries.devices import DeviceRow, device_list
from warehouse.queries.energy import METER_KIND, energy_kwh
from warehouse.queries.energy_today import energy_today
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES


@dataclass(frozen=True)
class Summary:
    """A factory at a glance."""

    total_devices: int
    active_devices: int
    offline_devices: int
    current_energy_kw: float
    energy_today_kwh: float
    energy_yesterday_kwh: float | None
    """Yesterday from midnight to the same time of day, factory time; None when it was not asked for."""
    active_alerts: int
    alerts: dict[str, int]
    """Active alerts by severity, worst first."""
    health: HealthScore
    states: dict[str, int]
    """Number of machines a state."""


def factory_of(db: Database, factory_id: int) -> Factory:
    """The factory itself: name, slug, time zone."""
    with tenant_session(db, factory_id) as session:
        return session.scalars(select(Factory)).one()


def local_midnight(now: datetime, timezone: str) -> datetime:
    """The start of the factory's day that `now` falls into."""
    return now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)


def dashboard_summary(
    db: Database,
    lake: Lake,
    factory_id: int,
    now: datetime,
    offline_after: timedelta,
    devices: list[DeviceRow] | None = None,
    *,
    with_yesterday: bool = True,
) -> Summary:
    """Counts, energy and health of a factory at `now`. Raises LakeBusyError while the lake is away. `devices` saves asking again.

    Today's energy may be some seconds old (`energy_today`); without yesterday's the lake is mostly not asked at all.
    """
    rows = device_list(db, factory_id, now, offline_after) if devices is None else devices
    midnight = local_midnight(now, factory_of(db, factory_id).timezone)
    counted = {row.id for row in rows if row.kind != METER_KIND}
    today = energy_today(lake, factory_id, midnight, now)
    yesterday = energy_kwh(lake, factory_id, midnight - timedelta(days=1), now - timedelta(days=1)) if with_yesterday else None
    alerts = {level: sum(row.alerts[level] for row in rows) for level in SEVERITIES}
    offline = sum(row.is_offline for row in rows)
    return Summary(
        total_devices=len(rows),
        active_devices=len(rows) - offline,
        offline_devices=offline,
        current_energy_kw=sum(row.power_w or 0 for row in rows if row.id in counted) / 1000,
        energy_today_kwh=sum(kwh for device, kwh in today.items() if device in counted),
        energy_yesterday_kwh=None if yesterday is None else sum(kwh for device, kwh in yesterday.items() if device in counted),
        active_alerts=sum(alerts.values()),
        alerts=alerts,
        health=factory_health((row.alerts, row.is_offline, row.importance) for row in rows),
        states={state: sum(row.state == state for row in rows) for state in ("running", "idle", "fault", "off", "offline")},
    )
