"""The values of a rule at every moment of a device's history at once, by the same keys as `rules.measures`.

Only the leaves are worked out here, for a million readings in milliseconds; what they mean together and over time is `rules.engine.step`.
Pure, on Polars frames.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rules.conditions import (
    WHOLE_DEVICE,
    Aggregate,
    Comparison,
    Deviation,
    Leaf,
    Measure,
    Missing,
    Operator,
    Range,
    Relation,
    Side,
    TextComparison,
    text_key,
)
from rules.measures import DECIMALS
from rules.parse import MINUTE_US

Times = npt.NDArray[np.int64]
AT: Final = "\0at"
_COMPARE: Final = {
    Operator.GT: pl.Expr.gt,
    Operator.GTE: pl.Expr.ge,
    Operator.LT: pl.Expr.lt,
    Operator.LTE: pl.Expr.le,
    Operator.EQ: pl.Expr.eq,
    Operator.NEQ: pl.Expr.ne,
}


def with_measures(arrivals: pl.DataFrame, needs: tuple[Leaf, ...]) -> pl.DataFrame:
    """Every moment of a device with what is known then, from what arrived at each.

    `arrivals`: AT (microseconds, sorted, unique) and by parameter a number, by `text_key` a text, null where none arrived. Gives the last
    known values, and what the leaves of `needs` look at.
    """
    columns: list[pl.Expr | pl.Series] = []
    for leaf in dict.fromkeys(needs):
        if isinstance(leaf, Missing):
            arrived = _arrived(arrivals, leaf.parameter)
            columns.append(pl.when(arrived).then(pl.col(AT)).forward_fill().alias(leaf.key))
        elif isinstance(leaf, Comparison | Range) and leaf.measure.aggregate is not None:
            columns.append(_aggregated(arrivals, leaf.parameter, leaf.measure))
    return arrivals.with_columns(*_known(arrivals), *columns)


def truth(leaf: Leaf, present: set[str]) -> pl.Expr | None:  # noqa: PLR0911  # one for each kind
    """A leaf as an expression over the columns of `with_measures`; None when it is unknown all the time."""
    if isinstance(leaf, Missing):
        return None
    if isinstance(leaf, TextComparison):
        return _text(leaf, present)
    needed = _needed(leaf)
    if not needed <= present:
        return None
    match leaf:
        case Comparison():
            return _COMPARE[leaf.operator](pl.col(leaf.measure.key(leaf.parameter)), leaf.threshold)
        case Range():
            inside = pl.col(leaf.measure.key(leaf.parameter)).is_between(leaf.low, leaf.high)
            return inside if leaf.side is Side.BETWEEN else ~inside
        case Relation():
            return _COMPARE[leaf.operator](pl.col(leaf.parameter), pl.col(leaf.other) + leaf.offset)
        case Deviation():
            return _deviation(leaf)


def _needed(leaf: Comparison | Range | Relation | Deviation) -> set[str]:
    if isinstance(leaf, Comparison | Range):
        return {leaf.measure.key(leaf.parameter)}
    return {leaf.parameter, leaf.other} if isinstance(leaf, Relation) else {leaf.parameter, leaf.mean_key, leaf.deviation_key}


def _text(leaf: TextComparison, present: set[str]) -> pl.Expr | None:
    number, text = leaf.parameter in present, text_key(leaf.parameter) in present
    if not number and not text:
        return None
    said = pl.col(text_key(leaf.parameter)) if text else pl.lit(None, pl.String)
    equal = said.eq(leaf.text).fill_null(value=False) if leaf.operator is Operator.EQ else said.ne(leaf.text).fill_null(value=True)
    known = said.is_not_null() | (pl.col(leaf.parameter).is_not_null() if number else False)
    return pl.when(known).then(equal)


def _deviation(leaf: Deviation) -> pl.Expr:
    value, mean = pl.col(leaf.parameter), pl.col(leaf.mean_key)
    margin = leaf.deviations * pl.col(leaf.deviation_key)
    if isinstance(leaf.operator, Side):
        inside = (value >= mean - margin) & (value <= mean + margin)
        return inside if leaf.operator is Side.BETWEEN else ~inside
    above = leaf.operator in {Operator.GT, Operator.GTE}
    return _COMPARE[leaf.operator](value, mean + margin if above else mean - margin)


def _arrived(arrivals: pl.DataFrame, parameter: str) -> pl.Expr:
    found = [pl.col(name).is_not_null() for name in (parameter, text_key(parameter)) if name in arrivals.columns]
    return pl.any_horizontal(found) if found else pl.lit(value=False)


def _known(arrivals: pl.DataFrame) -> list[pl.Expr]:
    """Last known values: a text makes the number unknown, and the other way round."""
    found = []
    for name in arrivals.columns:
        # Polars reads "*" as every column; and what says that anything arrived has its value in every row.
        if name in {AT, WHOLE_DEVICE}:
            continue
        twin = text_key(name)
        if name.startswith("\0text("):
            continue
        if twin not in arrivals.columns:
            found.append(pl.col(name).forward_fill())
            continue
        # Which of both came last: 1 a number, 2 a text.
        last = pl.when(pl.col(name).is_not_null()).then(1).when(pl.col(twin).is_not_null()).then(2).forward_fill()
        found.append(pl.when(last == 1).then(pl.col(name).forward_fill()).alias(name))
        found.append(pl.when(last == 2).then(pl.col(twin).forward_fill()).alias(twin))
    return found


def _aggregated(arrivals: pl.DataFrame, parameter: str, measure: Measure) -> pl.Series:
    """One aggregate at every moment; null where it is unknown."""
    key, at = measure.key(parameter), arrivals[AT].to_numpy()
    if parameter not in arrivals.columns:
        return pl.Series(key, [None] * arrivals.height, pl.Float64)
    own = arrivals.select(AT, parameter).drop_nulls()
    times, values = own[AT].to_numpy(), own[parameter].to_numpy()
    first = np.searchsorted(times, at - measure.window_us, side="right")
    after = np.searchsorted(times, at, side="right")
    some = after > first
    if measure.aggregate is Aggregate.COUNT:
        known = arrivals.select(_arrived(arrivals, parameter).cum_max().alias("known"))["known"].to_numpy()
        return pl.Series(key, np.where(known, after - first, np.nan), nan_to_null=True)
    if measure.aggregate is Aggregate.RATE:
        some = after > first + 1
        oldest, newest = np.where(some, first, 0), np.where(some, after - 1, 0)
        minutes = np.where(some, times[newest] - times[oldest], 1) / MINUTE_US if times.size else np.ones(at.size)
        found = (values[newest] - values[oldest]) / minutes if times.size else np.zeros(at.size)
        return pl.Series(key, np.where(some, np.round(found, DECIMALS), np.nan), nan_to_null=True)
    rolled = _rolled(pl.Series(AT, times), pl.Series(key, values), measure)
    exact = np.where(some, rolled[np.maximum(after - 1, 0)], np.nan) if times.size else np.full(at.size, np.nan)
    # Between two readings of the parameter old ones leave the window: worked out one by one, for moments of other parameters only.
    for row in np.flatnonzero(some & (times[np.maximum(after - 1, 0)] != at)) if times.size else ():
        exact[row] = _one(values[first[row] : after[row]], measure)
    return pl.Series(key, np.round(exact, DECIMALS), nan_to_null=True)


def _rolled(times: pl.Series, values: pl.Series, measure: Measure) -> npt.NDArray[np.float64]:
    """The aggregate of the window that ends at each reading."""
    period = f"{measure.window_us}us"
    frame = pl.DataFrame({"at": times.cast(pl.Datetime("us")), "value": values})
    value = pl.col("value")
    rolling = {
        Aggregate.MEAN: lambda: value.rolling_mean_by("at", period),
        Aggregate.MIN: lambda: value.rolling_min_by("at", period),
        Aggregate.MAX: lambda: value.rolling_max_by("at", period),
        Aggregate.STDDEV: lambda: value.rolling_std_by("at", period, ddof=0),
    }
    assert measure.aggregate in rolling  # noqa: S101  # the others are worked out by the caller
    return frame.select(rolling[measure.aggregate]().fill_null(0.0))["value"].to_numpy()


def _one(values: npt.NDArray[np.float64], measure: Measure) -> float:
    if measure.aggregate is Aggregate.MEAN:
        return float(values.mean())
    if measure.aggregate is Aggregate.STDDEV:
        return float(values.std())
    return float(values.min() if measure.aggregate is Aggregate.MIN else values.max())
