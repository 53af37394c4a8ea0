"""A forecast with its intervals, after the week before."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from assets.analytics.energy_findings import SeriesForecast
from assets.models.energy.days import Days
from assets.reporting.charts.style import C, canvas, svg
from assets.reporting.words import language


def forecast_chart(made: SeriesForecast, days: Days, timezone: str) -> bytes:
    """An SVG: mean power in kW of each interval, a week measured and the horizon expected, days of the factory's clock across."""
    figure, (ax,) = canvas(48, left=11, top=7, bottom=8)
    rows = made.rows
    hours = float(rows["interval_s"][0]) / 3600
    begin = rows["ts"][0].astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    x = np.arange(rows.height) * hours / 24
    kw = {name: rows[name].to_numpy() / hours for name in rows.columns if name.startswith("kwh")}
    ax.fill_between(x, kw["kwh_low_95"], kw["kwh_high_95"], color=C["a"], alpha=0.12, lw=0)
    ax.fill_between(x, kw["kwh_low_80"], kw["kwh_high_80"], color=C["a"], alpha=0.25, lw=0)
    ax.plot(x, kw["kwh"], color=C["a"], lw=0.8)
    week = days.between(begin.date() - timedelta(days=7), 8).ravel()
    since = (begin.hour * 60 + begin.minute) / 1440
    before = np.arange(len(week)) * hours / 24 - 7 - since
    ax.plot(before, week / hours, color=C["ink3"], lw=0.6)
    ax.axvline(0, color=C["ink3"], lw=0.8, ls=(0, (4, 2.5)))
    ax.set_xlim(-7, x[-1] + hours / 24)
    ax.set_ylim(0, None)
    ticks = np.arange(-7, int(x[-1]) + 2)
    ax.set_xticks(ticks - since, [f"{begin.date() + timedelta(days=int(each)):%a %d}" for each in ticks], fontsize=5.5)
    ax.set_title(f"{made.name}: kW, measured and expected with 80 and 95 % intervals")
    return svg(figure, language("en")).encode()
