"""Why a machine is at risk: what the chance would be if one parameter were as on a machine that is as good as new, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from assets.models.failure.encoder import WEAR, Floats
from assets.models.failure.model import FailureModel
from assets.models.failure.windows import features_of

MOST: Final = 3
WORTH_TELLING: Final = 0.02
"""Part of the chance that a reason must explain."""
RECENT: Final = 24
FLAT: Final = 0.3
"""Spreads a day; slower is not called rising or falling."""


@dataclass(frozen=True)
class Reason:
    """One parameter or extra behind a chance."""

    parameter: str
    share: float
    """How much lower the chance would be without it, 0 to 1."""
    direction: str
    """`high`, `low` or `usual`: against what is usual at the same settings."""
    spreads: float
    """Distance from that, in spreads."""
    trend_a_day: float
    """Spreads a day over the last 24 h."""
    now: float | None
    """Mean of the last 24 h, in the parameter's unit; of an extra its value."""
    then: float | None
    """Mean of the first 24 h of this life; None for extras and too short lives."""


def reasons_of(model: FailureModel, rows: pl.DataFrame, features: pl.DataFrame, at: int, horizon_h: float) -> list[Reason]:
    """The strongest reasons at row `at` of `rows`, the strongest first; empty when the machine is as good as new."""
    names = features.columns
    row = features.row(at)
    full = np.array(row, dtype=float)
    candidates = [*model.encoder.columns.parameters, *model.encoder.columns.extras]
    changed = np.stack([full, *(_without(model, names, full, parameter) for parameter in candidates)])
    # Steadying needs the hours before; here only differences between chances count.
    alone = pl.DataFrame({"life": np.arange(len(changed)), "age_h": np.full(len(changed), float(rows["age_h"][at]))})
    chances = model.answer_features(pl.DataFrame(changed, schema=names), alone).within[horizon_h]
    ranked = sorted(zip(candidates, chances[0] - chances[1:], strict=True), key=lambda pair: -pair[1])
    told = [(parameter, float(share)) for parameter, share in ranked[:MOST] if share >= max(WORTH_TELLING * chances[0], 0.001)]
    return [_reason(model, rows, dict(zip(names, row, strict=True)), at, parameter, share) for parameter, share in told]


def sentence(reason: Reason, name: str, unit: str, age_name: str = "age_h") -> str:
    """A reason in words; `name` and `unit` as people know the parameter."""
    if reason.parameter == age_name:
        return f"{reason.now:,.0f} h since the last maintenance"
    if reason.then is None and reason.direction == "usual":
        return f"{name}: {reason.now:,.3g} {unit}".rstrip()
    trend = "" if abs(reason.trend_a_day) < FLAT else ", and rises" if reason.trend_a_day > 0 else ", and falls"
    against = ""
    if reason.now is not None and reason.then:
        change = reason.now / reason.then - 1
        if abs(change) >= 0.01:
            against = f", {abs(change):.0%} {'above' if change > 0 else 'below'} its first day after the last maintenance"
    usual = {"high": "higher than usual at these settings", "low": "lower than usual at these settings", "usual": "less steady than usual"}
    value = "" if reason.now is None else f" {reason.now:,.3g} {unit}".rstrip() + " over the last 24 h"
    return f"{name}{value}: {usual[reason.direction]}{against}{trend}"


def _without(model: FailureModel, names: Sequence[str], full: Floats, parameter: str) -> Floats:
    """The features as if this parameter were as usual, also in the index of wear, as far as that is linear in it."""
    changed = full.copy()
    columns = model.encoder.columns
    for at, name in enumerate(names):
        if name.partition("|")[0] == parameter:
            changed[at] = model.usual[at]
    if parameter in columns.parameters:
        weight = float(model.encoder.weights[columns.parameters.index(parameter)])
        for feature in features_of(WEAR):
            if feature != "spread":
                own = names.index(f"{parameter}|{feature}")
                changed[names.index(f"{WEAR}|{feature}")] -= weight * (full[own] - model.usual[own])
    return changed


def _reason(model: FailureModel, rows: pl.DataFrame, named: dict[str, float], at: int, parameter: str, share: float) -> Reason:
    if parameter in model.encoder.columns.extras:
        return Reason(parameter, share, "usual", 0.0, 0.0, float(rows[parameter][at]), None)
    spreads, trend = named[f"{parameter}|level_8h"], named[f"{parameter}|slope_24h"]
    direction = "high" if spreads > 0.5 else "low" if spreads < -0.5 else "usual"
    life = rows["life"][at]
    own = rows[: at + 1].filter(pl.col("life") == life)[parameter]
    now, then = own.tail(RECENT).mean(), own.head(RECENT).mean() if own.len() > 2 * RECENT else None
    return Reason(parameter, share, direction, float(spreads), float(trend), _number(now), _number(then))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
