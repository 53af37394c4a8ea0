"""How long the forecast of a plant takes: 40 machines and their sum, half a year of quarters of an hour, 7 days ahead, all candidates."""

import time
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from assets.analytics.energy import MOST_WITH_PROPHET
from assets.models import judging
from assets.models.energy.days import Calendar, Days
from assets.models.energy.forecast import forecast
from bench.runner import Progress

MACHINES: Final = 40
DAYS: Final = 180
SLOTS: Final = 96
FIRST: Final = date(2026, 1, 5)


def plant(machines: int = MACHINES, days: int = DAYS, seed: int = 0) -> list[Days]:
    """Machines that work in one, two or three shifts on five, six or seven days, stop now and then, and drift; the sum comes first."""
    rng = np.random.default_rng(seed)
    slots = np.arange(SLOTS) / 4
    weekday = np.arange(days) % 7
    series = []
    for _ in range(machines):
        begin, length, workdays = rng.choice([6, 14]), rng.choice([8, 16, 24]), rng.choice([5, 6, 7])
        works = ((slots - begin) % 24 < length)[None, :] & (weekday < workdays)[:, None]
        works = works & (rng.random((days, SLOTS)) > 0.05)
        level = rng.uniform(1, 20) * (1 + 0.2 * np.sin(np.arange(days) / 20))[:, None]
        series.append(Days(FIRST, np.maximum(0.0, level * (0.1 + works) * rng.normal(1, 0.15, (days, SLOTS)))))
    return [Days(FIRST, np.sum([each.kwh for each in series], axis=0)), *series]


def run(progress: Progress) -> dict[str, Any]:
    """Seconds for all series together, candidates tried on earlier weeks included."""
    series = plant(days=DAYS + 7)
    split = FIRST + timedelta(days=DAYS)
    known = [each.until(split) for each in series]
    began = time.perf_counter()
    # As the product does it: Prophet for the largest only.
    ranked = sorted(range(len(known)), key=lambda at: -float(np.nansum(known[at].kwh)))
    tried = set(ranked[:MOST_WITH_PROPHET])
    found = forecast(known, Calendar(), split, 7, prophet_for=tried, say=lambda _share, stage: progress(stage))
    seconds = time.perf_counter() - began
    truth = np.concatenate([each.between(split, 7) for each in series])
    figures = {
        "forecast_s": seconds, "series": len(series), "wape": judging.wape(truth, np.concatenate([each.kwh for each in found])),
        "interval_80_covers": judging.coverage(
            truth, np.concatenate([each.low[80] for each in found]), np.concatenate([each.high[80] for each in found])
        ),
    }  # fmt: skip
    notes = f"in one process, Prophet for the {MOST_WITH_PROPHET} largest series"
    return {"figures": figures, "budgets": [{"figure": "forecast_s", "limit": "< 60"}], "notes": notes}
