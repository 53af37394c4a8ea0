"""The factory at a glance."""

from api.schemas.common import Schema


class SummaryOut(Schema):
    """The numbers of the overview page."""

    total_devices: int
    active_devices: int
    offline_devices: int
    current_energy_kw: float
    energy_today_kwh: float
    active_alerts: int
    critical_alerts: int
    high_alerts: int
    health_score: int
