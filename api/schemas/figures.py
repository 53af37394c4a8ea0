"""Energy, states, effectiveness and health as the API tells them. Definitions: docs/kpis.md."""

from api.schemas.common import Moment, Schema


class EnergyCompared(Schema):
    """Energy of a period so far, beside the period before it up to the same moment."""

    kwh: float
    before_kwh: float
    change: float | None
    """0.1 for ten percent more; null when there was nothing before."""


class RegionEnergy(EnergyCompared):
    """Of the machines of one area; an empty name stands for those without one."""

    region: str


class DeviceEnergy(EnergyCompared):
    """Of one machine; energy meters are here, and not in sums."""

    device_id: int


class BandCost(Schema):
    """What a band of the tariff cost, in the tariff's currency."""

    band: str
    cost: float


class EnergyPeriod(Schema):
    """One of `shift`, `today`, `week`, `month`, in the factory's own time."""

    period: str
    begin: Moment
    factory: EnergyCompared
    regions: list[RegionEnergy]
    devices: list[DeviceEnergy]
    costs: list[BandCost] | None
    """Null without a tariff."""
    before_cost: float | None
    carbon_kg: float | None


class EnergyNow(Schema):
    """Energy of the factory now and in its running periods; `shift` is missing between shifts."""

    kw_now: float
    currency: str | None
    periods: list[EnergyPeriod]


class EnergyDay(Schema):
    """Energy of a machine and day of the factory."""

    device_id: int
    day: Moment
    """Its beginning."""
    kwh: float
    idle_kwh: float
    cost: float | None
    carbon_kg: float | None


class Indicators(Schema):
    """Energy performance indicators (ISO 50006) of machines that count parts."""

    kwh: float
    running_h: float
    parts: float
    kwh_per_running_h: float | None
    kwh_per_part: float | None
    expected_kwh: float | None
    """What the baseline expects; null when it cannot be fitted (fewer than ten days, or an output that never changes)."""
    deviation: float | None
    baseline_r_squared: float | None
    baseline_days: int


class AvailabilityDay(Schema):
    """States of a machine and day of the factory, in seconds."""

    device_id: int
    day: Moment
    running_s: float
    idle_s: float
    fault_s: float
    off_s: float
    nodata_s: float
    stops: int
    failures: int
    availability: float | None


class OeeDay(Schema):
    """Effectiveness of a machine that counts parts, a day of the factory."""

    device_id: int
    day: Moment
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None
    good_parts: float
    rejected_parts: float


class StateSpan(Schema):
    """A time in one state: running, idle, fault, off or nodata."""

    begin: Moment
    end: Moment
    state: str


class MaintenanceEventOut(Schema):
    """A failure, repair or planned stop that somebody recorded, or another system told."""

    device_id: int
    kind: str
    began_at: Moment
    ended_at: Moment | None
    title: str | None
    reason: str | None
    cost: float | None
    source: str


class ReliabilityOut(Schema):
    """From recorded failures of a range (EN 15341); times in seconds."""

    device_id: int
    failures: int
    down_s: float
    mtbf_s: float | None
    mttr_s: float | None


class MaintenanceOut(Schema):
    """Recorded events that touch the range, and what they say about reliability."""

    events: list[MaintenanceEventOut]
    reliability: list[ReliabilityOut]


class HealthAt(Schema):
    """A score from 0 to 100 of one hour."""

    at: Moment
    score: float
    deductions: dict[str, float]
