"""From scores to what a person can act on: spans with a beginning, an end, a greatest score, and the parameters that made it so."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from assets.models.anomaly.grid import Floats
from assets.models.anomaly.smoothing import runs

STAYS_ABOVE: Final = 0.9
"""An anomaly goes on while the score is above this share of the limit, so that one event is not told as ten."""
MOST_NAMED: Final = 3
LEAST_SHARE: Final = 0.1
"""Of a deviation; what contributes less is not named."""


@dataclass(frozen=True)
class Contribution:
    """How one parameter deviated in an anomaly."""

    parameter: str
    share: float
    """Of the whole deviation, 0 to 1."""
    measured: float
    """Mean within the anomaly, in the parameter's unit."""
    expected: float
    """What this machine does under the same conditions."""

    @property
    def percent(self) -> float | None:
        """Deviation in percent of what was expected; None where that is nearly zero."""
        return 100 * (self.measured - self.expected) / abs(self.expected) if abs(self.expected) > 1e-6 else None


@dataclass(frozen=True)
class Anomaly:
    """A span of rows [first, last) in which the score was above 1, with pauses in which it nearly was."""

    first: int
    last: int
    score: float
    """The greatest within."""
    contributions: tuple[Contribution, ...]
    """The strongest first."""


def spans(score: Floats) -> list[tuple[int, int]]:
    """First and behind-last row of each anomaly: begins above 1, ends below STAYS_ABOVE or where nothing is known; pure."""
    with np.errstate(invalid="ignore"):
        above = score > STAYS_ABOVE
        begins = score > 1.0
    found = []
    for first, last in runs(above):
        over = np.flatnonzero(begins[first:last])
        if len(over):
            found.append((first + int(over[0]), last))
    return found


def contributions(names: tuple[str, ...], deviation: Floats, measured: Floats, expected: Floats) -> tuple[Contribution, ...]:
    """The parameters of one anomaly, the strongest first; pure.

    `deviation` (standardised), `measured`, `expected`: the rows of the anomaly, shape (rows, parameters), NaN where nothing is known.
    """
    power = np.nan_to_num(np.nanmean(np.where(np.isfinite(deviation), deviation, 0.0) ** 2, axis=0))
    shares = power / power.sum() if power.sum() > 0 else power
    both = np.isfinite(measured) & np.isfinite(expected)
    found: list[Contribution] = []
    for column in np.argsort(-shares)[:MOST_NAMED]:
        rows = both[:, column]
        if rows.any() and (shares[column] >= LEAST_SHARE or not found):
            means = (float(measured[rows, column].mean()), float(expected[rows, column].mean()))
            found.append(Contribution(names[column], float(shares[column]), *means))
    return tuple(found)
