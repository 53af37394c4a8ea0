"""When the truth of a rule's parts turns, for all moments of a history at once. Pure, on Polars frames and NumPy arrays.

AND                                    `held` and `missing` look at time: `rules.engine` goes through them, but only at the
 |- held for 5 minutes                 turns of what is below, and when they are due. What looks at one moment is worked out
 |   `- temp > 80 OR load > 90         as a whole, here two parts: this one
 |- NOT state = "OFF"                  and this one
 `- missing flow for 10 minutes
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_, or_
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rules.conditions import Combination, Comparison, Condition, Group, Held, Missing, Not, Quorum, Range, Repeated
from rules.truth import widened
from rules.vectors import AT, Times, truth

Codes = npt.NDArray[np.int8]
FALSE: Final = 0
TRUE: Final = 1
UNKNOWN: Final = 2
NEVER: Final = 2**62


def momentary(condition: Condition) -> Iterator[Condition]:
    """The largest parts of a tree that neither remember anything nor wait for a time; of a dead band both limits.

    What holds such a part is given with it: turns that do not last long enough make no difference to it.
    """
    if _is_momentary(condition.condition if isinstance(condition, Held) else condition):
        yield condition
        return
    match condition:
        case Group():
            for part in condition.conditions:
                yield from momentary(part)
        case Not() | Held() | Repeated() | Quorum():
            yield from momentary(condition.condition)
        case Comparison() | Range():
            yield condition
            yield widened(condition)
        case _:
            # `Missing`: the engine wakes for it.
            return


def turns(histories: Sequence[pl.DataFrame], conditions: Sequence[Condition]) -> Times:
    """The moments, in order, at which one of the `momentary` conditions is not what it was, and the first moment of each machine.

    `histories`: of each machine that the rule looks at, from `rules.vectors.with_measures`.
    """
    times = [frame[AT].to_numpy() for frame in histories]
    found = [at[:1] for at in times]
    for condition in dict.fromkeys(conditions):
        part, for_us = (condition.condition, condition.for_us) if isinstance(condition, Held) else (condition, 0)
        inner = part.condition if isinstance(part, Quorum) else part
        codes = [_codes(frame, inner) for frame in histories]
        each = [_together(times, codes, part.at_least)] if isinstance(part, Quorum) else zip(times, codes, strict=True)
        found += [_turns(at, code, for_us) for at, code in each]
    return np.unique(np.concatenate(found))


def expression(condition: Condition, present: set[str]) -> pl.Expr:
    """A momentary condition over the columns of `with_measures`; null is unknown."""
    match condition:
        case Group():
            # Polars joins truths with null as Kleene does.
            parts = [expression(part, present) for part in condition.conditions]
            return reduce(and_ if condition.operator is Combination.AND else or_, parts)
        case Not():
            return ~expression(condition.condition, present)
        case Held() | Repeated() | Quorum():
            raise ValueError("this condition looks at more than a moment of one machine")
        case _:
            found = truth(condition, present)
            return pl.lit(None, pl.Boolean) if found is None else found


def _codes(history: pl.DataFrame, condition: Condition) -> Codes:
    code = expression(condition, set(history.columns)).cast(pl.Int8).fill_null(UNKNOWN).alias("code")
    found = history.select(code)["code"].to_numpy()
    # What is unknown all the time is one literal.
    return found if found.size == history.height else np.full(history.height, UNKNOWN, np.int8)


def _turns(at: Times, code: Codes, for_us: int) -> Times:
    """When `code` is not what it was before, without times of truth that begin and end with false and last less than `for_us`."""
    rows = np.flatnonzero(code[1:] != code[:-1]) + 1
    if for_us and rows.size > 1:
        is_short = (code[rows[:-1]] == TRUE) & (at[rows[1:]] - at[rows[:-1]] < for_us)
        is_short &= (code[rows[:-1] - 1] == FALSE) & (code[rows[1:]] == FALSE)
        rows = rows[~(np.append(is_short, False) | np.append(False, is_short))]
    return at[rows]


def _together(times: Sequence[Times], codes: Sequence[Codes], needed: int) -> tuple[Times, Codes]:
    """The truth of "on so many of them" at each moment at which it may turn; nothing is known of a machine before its first moment."""
    at, met, maybe = [], [], []
    for one, code in zip(times, codes, strict=True):
        before = np.append(np.int8(UNKNOWN), code[:-1])[: code.size]
        rows = np.flatnonzero(code != before)
        at.append(one[rows])
        met.append((code[rows] == TRUE).astype(np.int64) - (before[rows] == TRUE))
        maybe.append((code[rows] == UNKNOWN).astype(np.int64) - (before[rows] == UNKNOWN))
    moments = np.concatenate(at)
    order = np.argsort(moments, kind="stable")
    moments = moments[order]
    are_met = np.cumsum(np.concatenate(met)[order])
    may_be = are_met + len(times) + np.cumsum(np.concatenate(maybe)[order])
    is_last = np.append(moments[1:] != moments[:-1], True)[: moments.size]
    code = np.where(are_met >= needed, TRUE, np.where(may_be >= needed, UNKNOWN, FALSE)).astype(np.int8)
    # What it was before anything was known stands in front, so that the first turn is one.
    at_first = np.int8(UNKNOWN if len(times) >= needed else FALSE)
    return np.append(np.int64(-NEVER), moments[is_last]), np.append(at_first, code[is_last])


def _is_momentary(condition: Condition) -> bool:
    match condition:
        case Group():
            return all(_is_momentary(part) for part in condition.conditions)
        case Not() | Quorum():
            return _is_momentary(condition.condition)
        case Held() | Repeated() | Missing():
            return False
        case Comparison() | Range():
            return not condition.deadband
        case _:
            return True
