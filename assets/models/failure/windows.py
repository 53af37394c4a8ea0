"""Features of a machine's last hours, computed hour by hour within one life (from maintenance to maintenance or failure).

    level    exponentially weighted means, half-lives 2, 8 and 24 h            of each parameter, in spreads of its regime
    change   the 8 h level minus the life's own first 24 h
    slope    of the line through the last 24 and 72 h, a day
    spread   standard deviation over the last 24 h
    shocks   of vibration: crest (greatest over mean), excess kurtosis over 24 h

Hours without readings do not exist here: "the last 24 h" are the last 24 hours with readings.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

HALF_LIVES: Final = (2, 8, 24)
SLOPES: Final = (24, 72)
SPREAD: Final = 24
FIRST: Final = 24
VIBRATION: Final = ("vib", "accel", "shock")


def is_vibration(parameter: str) -> bool:
    """Whether a parameter's name says that it is a vibration."""
    return any(word in parameter.lower() for word in VIBRATION)


def window_features(rows: pl.DataFrame, parameters: Sequence[str], extras: Sequence[str] = ()) -> pl.DataFrame:
    """One row of features for each row of `rows` (`life`, `age_h` ascending within it, `parameters`), in the same order; no nulls.

    `extras` are passed on as they are. Names are `<parameter>|<feature>`.
    """
    numbered = rows.with_columns(_at=pl.int_range(pl.len()).over("life").cast(pl.Float64))
    smooth = [
        pl.col(name).ewm_mean(half_life=half, ignore_nulls=True).over("life").alias(f"{name}|level_{half}h")
        for name in parameters
        for half in HALF_LIVES
    ]
    first = [pl.col(name).filter(pl.col("_at") < FIRST).mean().over("life").alias(f"{name}|_first") for name in parameters]
    others = [expression for name in parameters for expression in _others(name)]
    found = numbered.lazy().with_columns(smooth + first + others)
    changes = [(pl.col(f"{name}|level_8h") - _known_first(name)).alias(f"{name}|change") for name in parameters]
    return (
        found.with_columns(changes)
        .select([f"{name}|{feature}" for name in parameters for feature in features_of(name)] + list(extras))
        .with_columns(pl.all().cast(pl.Float64).fill_nan(None).fill_null(0.0))
        .collect()
    )


def features_of(parameter: str) -> list[str]:
    """The names of the features of one parameter, without its own."""
    shocks = ["crest", "kurtosis"] if is_vibration(parameter) else []
    return [*(f"level_{half}h" for half in HALF_LIVES), "change", *(f"slope_{hours}h" for hours in SLOPES), "spread", *shocks]


def _known_first(name: str) -> pl.Expr:
    """The mean of the first hours, of which only those that are over are known."""
    running = pl.col(name).cum_sum().over("life") / pl.col(name).cum_count().over("life")
    return pl.when(pl.col("_at") < FIRST).then(running).otherwise(pl.col(f"{name}|_first"))


def _others(name: str) -> list[pl.Expr]:
    value = pl.col(name)
    found = [_slope(name, hours).alias(f"{name}|slope_{hours}h") for hours in SLOPES]
    found.append(value.rolling_std(SPREAD, min_samples=3).over("life").alias(f"{name}|spread"))
    if is_vibration(name):
        mean, std = (
            value.rolling_mean(SPREAD, min_samples=3).over("life"),
            value.rolling_std(SPREAD, min_samples=3).over("life"),
        )
        crest = (value.rolling_max(SPREAD, min_samples=3).over("life") - mean) / (std + 1e-6)
        found.append(crest.alias(f"{name}|crest"))
        found.append(value.rolling_kurtosis(SPREAD, min_samples=4).over("life").alias(f"{name}|kurtosis"))
    return found


def _slope(name: str, hours: int) -> pl.Expr:
    """Of the least-squares line through the last `hours` values, a day; 0 until there are 6."""
    at = pl.when(pl.col(name).is_not_null()).then(pl.col("_at") / 24.0)

    def mean(of: pl.Expr) -> pl.Expr:
        return of.rolling_mean(hours, min_samples=6).over("life")

    moved = mean(at * pl.col(name)) - mean(at) * mean(pl.col(name))
    return moved / (mean(at * at) - mean(at) * mean(at) + 1e-9)
