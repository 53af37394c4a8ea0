"""One factory's night: the week ahead of every active machine and of the factory, rows into the lake."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from assets.analytics.anomaly_night import active_devices
from assets.analytics.contract import Inputs, Tell
from assets.analytics.energy import LEARNED_FROM, analyse
from assets.models.energy.forecast import NAIVE
from warehouse.analysis_tables import replace_job
from warehouse.installation import Installation


@dataclass(frozen=True)
class EnergyNight:
    """What a night expects; the figures are those of the factory, or of the first machine where the sum is not known."""

    rows: int
    series: int
    headline: str
    findings: list[str]
    models: Mapping[str, int]
    """How often each was chosen."""
    errors: Mapping[str, float]
    """WAPE of each candidate in the backtest."""
    error: float | None
    naive_error: float | None
    covered: float | None
    """By the 80 % interval."""
    change: float
    """Energy expected over that of the last week."""


def make_night(installation: Installation, factory_id: int, tell: Tell) -> EnergyNight:
    """Forecasts from this moment on; again on the same day replaces the rows. Raises NotEnoughDataError, LakeBusyError."""
    now = installation.clock.now()
    ids = active_devices(installation.db, factory_id)
    result = analyse(Inputs(installation, factory_id, ids, now - LEARNED_FROM, now), tell)
    rows = replace_job(installation.lake, factory_id, "energy_forecasts", f"nightly-{now:%Y-%m-%d}", result.tables["energy_forecasts"])
    series = result.summary["series"]
    first = series[0]
    errors = first["backtest_wape"]
    change = first["kwh"] / first["last_week_kwh"] if first["last_week_kwh"] else 1.0
    return EnergyNight(
        rows, len(series), result.summary["headline"], result.summary["findings"], Counter(each["model"] for each in series), errors,
        errors.get(first["model"]), errors.get(NAIVE), first["coverage_measured"].get("80"), change,
    )  # fmt: skip
