"""Forecasts as sentences for people; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from assets.models.energy.days import Calendar
from assets.models.energy.forecast import NAIVE, Forecast

WORDS = {
    NAIVE: "the same time last week",
    "week_median": "the median of the last six weeks",
    "levelled_median": "the median of the last six weeks at the level of the last one",
    "ridge": "a lagged ridge regression",
    "boosting": "lagged gradient boosting",
    "prophet": "Prophet with holidays and shifts",
    "blend": "the mean of the two best",
}


@dataclass(frozen=True)
class SeriesForecast:
    """One machine, or the factory, over the horizon."""

    device_id: int | None
    name: str
    rows: pl.DataFrame
    """ts, interval_s, kwh, bounds, cost, model; by time."""
    found: Forecast
    last_week_kwh: float
    """Of the seven whole days before; what was not measured counts as nothing."""

    @property
    def kwh(self) -> float:
        """Of the whole horizon."""
        return float(self.rows["kwh"].sum())

    @property
    def cost(self) -> float | None:
        """In the tariff's currency; None without a tariff."""
        return float(self.rows["cost"].sum()) if self.rows["cost"].count() else None

    @property
    def peak(self) -> tuple[float, float, Any]:
        """Highest expected mean power of an interval in kW, the upper end of its 80 % interval, and when."""
        row = self.rows.row(int(self.rows["kwh"].arg_max() or 0), named=True)
        hours = row["interval_s"] / 3600
        return row["kwh"] / hours, row["kwh_high_80"] / hours, row["ts"]

    def as_json(self) -> dict[str, Any]:
        """For API, page and report."""
        peak_kw, peak_high_kw, peak_at = self.peak
        return {
            "device_id": self.device_id, "name": self.name, "kwh": round(self.kwh, 3),
            "last_week_kwh": round(self.last_week_kwh, 3),
            "cost": None if self.cost is None else round(self.cost, 2),
            "peak_kw": round(peak_kw, 3), "peak_high_80_kw": round(peak_high_kw, 3), "peak_at": peak_at.isoformat(),
            "model": self.found.model, "backtest_weeks": self.found.origins,
            "backtest_wape": {name: round(value, 4) for name, value in self.found.errors.items()},
            "coverage_measured": {str(level): round(value, 4) for level, value in self.found.covered.items()},
            "weights": {name: round(value, 3) for name, value in self.found.weights.items()},
        }  # fmt: skip


def headline(first: SeriesForecast, days: int) -> str:
    """One sentence about the first series, which is the factory where its energy is known."""
    peak_kw, _, at = first.peak
    name = first.name[0].upper() + first.name[1:]
    return f"{name} will probably use {first.kwh:,.0f} kWh in the next {days} days, at most {peak_kw:,.0f} kW (on {at:%Y-%m-%d %H:%M} UTC)."


def findings(
    made: Sequence[SeriesForecast], too_little: Sequence[str], calendar: Calendar, currency: str | None, horizon: tuple[date, int]
) -> list[str]:
    """Cost, quality of the model against last week, the largest machines, holidays, and what could not be forecast."""
    told = []
    for each in made[:1]:
        if each.cost is not None:
            told.append(f"It will cost about {each.cost:,.0f} {currency}.")
        told.append(_quality(each))
    machines = sorted((each for each in made if each.device_id is not None), key=lambda each: -each.kwh)
    whole = sum(each.kwh for each in machines)
    for each in machines[:3]:
        share = f", {each.kwh / whole:.0%} of the machines chosen" if whole and len(machines) > 1 else ""
        told.append(f"{each.name}: {each.kwh:,.0f} kWh{share}, peak {each.peak[0]:,.1f} kW, by {WORDS[each.found.model]}.")
    first, days = horizon
    free = sorted(day for day in calendar.holidays if first <= day <= first + timedelta(days=days))
    if free:
        told.append(f"Holidays within the horizon: {', '.join(f'{day:%Y-%m-%d}' for day in free)}.")
    if currency is None:
        told.append("No tariff is set, so there is no cost; set one to see it.")
    return told + [f"{text[0].upper()}{text[1:]}." for text in too_little]


def _quality(each: SeriesForecast) -> str:
    found = each.found
    if not found.errors:
        return "There was too little history to try models on earlier weeks: this is the median of the same times, with wide intervals."
    weeks = f"{found.origins} earlier week" + ("s" if found.origins != 1 else "")
    best, naive = found.errors[found.model], found.errors.get(NAIVE)
    against = f", {naive:.0%} by the same time last week" if naive is not None and found.model != NAIVE else ""
    covered = ", ".join(f"{value:.0%} of the values lay in the {level} % interval" for level, value in found.covered.items())
    return f"Chosen on {weeks}: {WORDS[found.model]}, off by {best:.0%} of the energy{against}; {covered}."
