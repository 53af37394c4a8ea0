"""The one set of constants of anomaly detection, for every machine and data set. All lengths are in steps of the grid.

They were chosen by reasons and by false alarms on data without anomalies, never by labels of scored rows: docs/scorecard.md says how.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Constants:
    """How a machine's usual behaviour is learned and how far from it is unusual."""

    smoothing_steps: int = 60
    """The slow look: noise shrinks with the root of it, so that it sees small deviations that last."""
    quick_steps: int = 15
    """The quick look: sees large ones sooner, and their end."""
    settling_steps: int = 5
    """After a machine was switched on or off its lags have not arrived yet: so long it is not judged."""
    least_share: float = 0.5
    """Of a smoothing window this much must have been measured."""
    folds: int = 5
    """The limit is at least what parts of the healthy window reached that were left out of the learning, so many of them in turn."""
    reached: float = 0.999
    """Quantile of what the left-out parts reached: half an hour of three weeks may lie above."""
    least_limits: tuple[float, float, float] = (5.5, 2.3, 0.6)
    """Of the greatest residual, of T2 and Q together (both in healthy spreads) and of the forest: nothing is unusual below them, however
    little the left-out parts moved. 0.6 is where Liu, Ting, Zhou begin to speak of anomalies."""
    weights: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Of the same three in the score: the residual is the one that can say why, the others confirm or doubt it."""
    drift_allowance: float = 2.0
    """A parameter that wanders while the machine is healthy may wander so many times further later on."""
    trees: int = 100
    rows_a_tree: int = 256
    """Of the isolation forest; both as in Liu, Ting, Zhou 2008."""
    kept_variance: float = 0.9
    """Principal components stand for this much of the healthy variance; the rest is what Q looks at."""
    most_dropped: float = 1 / 3
    """Of the training window at most so much is left out as not healthy; more, and the rest would not be the usual."""
    least_rows_a_regime: int = 240
    """A way of running with fewer healthy rows is not known well enough to judge it."""
    random_seed: int = 7


CONSTANTS: Final = Constants()
