"""Round bounds for value axes; pure."""

import math
from collections.abc import Sequence
from typing import Any

Option = dict[str, Any]
"""A part of an ECharts option."""
Pairs = list[list[float | int | None]]
"""[wall-clock milliseconds, value or None]."""


def axis_bounds(points: Pairs, limits: Sequence[float] = (), parts: int = 4) -> Option:
    """Round axis bounds with room above, for the limits too unless they would press the line flat; pure.

    The axis spans at least 2 % of the values, so that a set point does not look like a storm.
    """
    known = [value for _, value in points if value is not None]
    if not known:
        return {}
    low, high = min(known), max(known)
    reach = max(high - low, abs(high) * 0.05) * 3
    near = [value for value in limits if low - reach <= value <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    span = max(high - low, abs(high) * 0.02, 1e-6)
    step = _round_step(span / parts)
    bottom = math.floor(low / step) * step
    top = math.ceil((high + span * 0.06) / step) * step
    return {"min": float(f"{bottom:.6g}"), "max": float(f"{top:.6g}"), "interval": float(f"{step:.6g}")}


def _round_step(rough: float) -> float:
    """The next larger of 1, 2, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
