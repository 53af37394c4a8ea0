"""The risks of machines as bars."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from assets.analytics.failure_findings import MachineRisk
from assets.reporting.charts.style import C, canvas, svg
from assets.reporting.words import language

MOST_BARS: Final = 15


def risk_chart(risks: Sequence[MachineRisk]) -> bytes:
    """An SVG: the chance of failing within each horizon, the riskiest machine on top; and the time left with its interval."""
    shown = list(risks[:MOST_BARS])
    figure, (left, right) = canvas(14 + 5.5 * len(shown), 2, left=34, gap=8, top=7, bottom=8)
    y = np.arange(len(shown))[::-1]
    horizons = sorted(shown[0].probability, reverse=True)
    for at, horizon in enumerate(horizons):
        chances = [100 * risk.probability[horizon] for risk in shown]
        color = C["idle"] if at == 0 and len(horizons) > 1 else C["fault"]
        left.barh(y, chances, height=0.66 - 0.3 * at, color=color, label=f"{horizon:g} h")
    left.set_yticks(y, [risk.name for risk in shown], fontsize=6.2)
    left.set(title="Probability of failure, %", xlim=(0, 100))
    left.legend(loc="lower right", fontsize=6, frameon=False)
    left.grid(visible=True, axis="x")
    lows, highs, middles = ([getattr(risk, name) / 24 for risk in shown] for name in ("low_h", "high_h", "left_h"))
    right.hlines(y, lows, highs, color=C["running"], lw=3)
    right.plot(middles, y, "o", ms=3, color=C["petrol"])
    right.set_yticks([])
    right.set(title=f"Time left, days (at most {shown[0].cap_h / 24:.0f} are told apart)", xlim=(0, shown[0].cap_h / 24 * 1.02))
    right.grid(visible=True, axis="x")
    return svg(figure, language("en")).encode()
