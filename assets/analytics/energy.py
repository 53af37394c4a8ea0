"""Energy forecast that people order, and each night: machines and factory, kWh, peak and cost, 1 to 14 days ahead."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from assets.analytics.contract import Inputs, NotEnoughDataError, Result, Tell
from assets.analytics.energy_charts import forecast_chart
from assets.analytics.energy_findings import SeriesForecast, findings, headline
from assets.analytics.energy_series import INTERVAL, Series, measured_days, series_of
from assets.analytics.holiday_calendar import country_of_zone, holidays_of
from assets.models.energy.days import Calendar, in_utc
from assets.models.energy.forecast import LEAST_DAYS, Forecast, forecast
from warehouse.errors import InvalidInputError
from warehouse.factories import factory_zones
from warehouse.queries.energy_use import Tariff, priced
from warehouse.readings import UTC_TIME
from warehouse.shifts import shifts_of
from warehouse.tariffs import tariff_of

LEARNED_FROM: Final = timedelta(days=180)
HORIZON_DAYS: Final = 7
LONGEST_DAYS: Final = 14
MOST_WITH_PROPHET: Final = 8
"""Series; of more only the largest are tried with Prophet: it takes two to three seconds for each."""
MOST_CHARTS: Final = 6
FORECASTS: Final = pl.Schema(
    {"device_id": pl.Int32(), "made_at": UTC_TIME, "ts": UTC_TIME, "interval_s": pl.Float64(), "kwh": pl.Float64(),
     "kwh_low_80": pl.Float64(), "kwh_high_80": pl.Float64(), "kwh_low_95": pl.Float64(), "kwh_high_95": pl.Float64(),
     "cost": pl.Float64(), "model": pl.String()}
)  # fmt: skip


def analyse(inputs: Inputs, tell: Tell) -> Result:
    """The days from the end of the range on. Parameters: `horizon_days` (1 to 14; 7), `country` (ISO code; that of the time zone).

    Learned from the 180 days before the end of the range. Raises NotEnoughDataError, InvalidInputError, CancelledError, LakeBusyError.
    """
    days = horizon_of(inputs.parameters)
    tell(2, "reading energy")
    timezone = factory_zones(inputs.installation.db)[inputs.factory_id][1]
    start, end = aligned(inputs.end) - LEARNED_FROM, aligned(inputs.end)
    series, without = series_of(inputs.installation, inputs.factory_id, inputs.device_ids, start, end, timezone)
    measured = [measured_days(each.days) for each in series]
    enough = [each for each, found in zip(series, measured, strict=True) if found >= LEAST_DAYS]
    too_little = [
        f"{each.name}: only {found} days of energy; needs {LEAST_DAYS}"
        for each, found in zip(series, measured, strict=True)
        if found < LEAST_DAYS
    ]
    too_little += [f"{name}: no power was measured; needs {LEAST_DAYS} days of it" for name in without]
    if not enough:
        raise NotEnoughDataError("; ".join(too_little) or "no machine was chosen")
    calendar = calendar_of(inputs, timezone, end, days)
    tell(10, f"trying models on {len(enough)} series")
    first = end.astimezone(ZoneInfo(timezone)).date()
    # One day more: the horizon begins within a day.
    found = forecast(
        [each.days for each in enough], calendar, first, days + 1,
        prophet_for=largest(enough, MOST_WITH_PROPHET), say=lambda share, stage: tell(10 + 80 * share, stage),
    )  # fmt: skip
    tell(92, "pricing and drawing")
    tariff = tariff_of(inputs.installation.db, inputs.factory_id)
    made = [
        ahead(each, forecast_, timezone, tariff, (end, end + timedelta(days=days))) for each, forecast_ in zip(enough, found, strict=True)
    ]
    frames = pl.concat([each.rows for each in made]).with_columns(made_at=pl.lit(inputs.installation.clock.now(), UTC_TIME))
    summary: dict[str, Any] = {
        "headline": headline(made[0], days),
        "findings": findings(made, too_little, calendar, tariff.currency if tariff else None, (first, days)),
        "series": [each.as_json() for each in made],
        "horizon_days": days,
        "currency": tariff.currency if tariff else None,
        "not_forecast": too_little,
    }
    return Result(summary, {"energy_forecasts": frames.select(FORECASTS.names()).cast(FORECASTS)}, charts(made, enough, timezone))


def horizon_of(parameters: Mapping[str, Any]) -> int:
    """`horizon_days` of an order. Raises InvalidInputError."""
    asked = parameters.get("horizon_days", HORIZON_DAYS)
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= LONGEST_DAYS:
        raise InvalidInputError(f"horizon_days is {asked!r}; it must be a whole number from 1 to {LONGEST_DAYS}", path="horizon_days")
    return asked


def aligned(moment: datetime) -> datetime:
    """The last beginning of an interval."""
    return moment - timedelta(seconds=moment.timestamp() % INTERVAL.total_seconds())


def calendar_of(inputs: Inputs, timezone: str, end: datetime, days: int) -> Calendar:
    """Holidays of the factory's country and beginnings of its shifts."""
    country = inputs.parameters.get("country") or country_of_zone(timezone)
    years = range((end - LEARNED_FROM).year, (end + timedelta(days=days + 1)).year + 1)
    shifts = shifts_of(inputs.installation.db, inputs.factory_id)
    return Calendar(holidays_of(country, years), tuple(sorted({each.begin_minute / 60 for each in shifts})))


def largest(series: list[Series], most: int) -> set[int]:
    """Positions of the series with the most energy."""
    ranked = sorted(range(len(series)), key=lambda at: -float(np.nansum(series[at].days.kwh)))
    return set(ranked[:most])


def ahead(series: Series, found: Forecast, timezone: str, tariff: Tariff | None, window: tuple[datetime, datetime]) -> SeriesForecast:
    """The intervals of the window in UTC, with bounds and cost; pure."""
    moments, kwh = in_utc(found.first, found.kwh, timezone, *window)
    bounds = {
        f"kwh_{side}_{level}": in_utc(found.first, matrices[level], timezone, *window)[1]
        for side, matrices in (("low", found.low), ("high", found.high))
        for level in matrices
    }
    rows = pl.DataFrame(
        {"device_id": pl.Series([series.device_id] * len(moments), dtype=pl.Int32), "ts": pl.Series(moments, dtype=UTC_TIME),
         "interval_s": INTERVAL.total_seconds(), "kwh": kwh, **bounds, "model": found.model}
    )  # fmt: skip
    cost = priced(rows.select("ts", bucket="ts", kwh="kwh"), tariff, timezone)["cost"] if tariff else pl.Series([None] * rows.height)
    last_week = float(np.nansum(series.days.between(found.first - timedelta(days=7), 7)))
    return SeriesForecast(series.device_id, series.name, rows.with_columns(cost.cast(pl.Float64).alias("cost")), found, last_week)


def charts(made: list[SeriesForecast], series: list[Series], timezone: str) -> dict[str, bytes]:
    """The factory and the machines that will use most."""
    pairs = list(zip(made, series, strict=True))
    ranked = sorted(pairs, key=lambda pair: (pair[0].device_id is not None, -pair[0].kwh))
    return {
        "factory" if each.device_id is None else f"device-{each.device_id}": forecast_chart(each, own.days, timezone)
        for each, own in ranked[:MOST_CHARTS]
    }
