"""What a backtest reads of the lake: the columns and parameters that its rule looks at, several machines at once, each once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from rules.conditions import WHOLE_DEVICE, Missing, TextComparison, leaves
from rules.engine import Rule
from warehouse.lake import LakeReader

ROWS_AT_ONCE: Final = 2_000_000
"""About so many readings are held for machines whose turn is still to come: 34 MB."""
MOST_AT_ONCE: Final = 256
"""Machines in one question: each question costs 20 ms before it reads anything."""
GROWS_BY: Final = 4
"""So many times as many machines as in the question before, at most: the next ones may have more to tell."""
PARAMETERS: Final = 8
"""That a machine may send in one message: so many readings are looked at for each moment at which something came."""


class HistoryOf:
    """Readings of one machine after the other in [since, until), for `rules.backtest.run`: a call gives one machine's.

    They are asked for in the order of `device_ids`; whoever asks otherwise pays with a question more. Raises LakeBusyError.
    """

    def __init__(self, reader: LakeReader, rule: Rule, device_ids: Sequence[int], since: datetime, until: datetime) -> None:
        self._reader, self._waiting = reader, list(device_ids)
        self._period = {"since": since, "until": until}
        self._wanted = sorted(rule.parameters - {WHOLE_DEVICE})
        self._is_whole = WHOLE_DEVICE in rule.parameters
        both = [rule.condition] if rule.clear is None else [rule.condition, rule.clear]
        self._has_text = any(isinstance(leaf, TextComparison) for part in both for leaf in leaves(part))
        self._silence_us = silence_us(rule)
        self._read: dict[int, pl.DataFrame] = {}
        self._most_rows = 0
        """Of one machine so far."""
        self._count = 1
        """Machines in the next question; of the first one nothing is known."""

    def __call__(self, device_id: int) -> pl.DataFrame:
        """`rules.backtest.ReadingsOf`; what was given is not kept."""
        if device_id not in self._read:
            self._fetch(device_id)
        return self._read.pop(device_id)

    def _fetch(self, device_id: int) -> None:
        waiting = [one for one in self._waiting if one != device_id]
        asked, self._waiting = [device_id, *waiting[: self._count - 1]], waiting[self._count - 1 :]
        found = self._rows(asked)
        parts = found.partition_by("device_id", as_dict=True, include_key=False) if len(asked) > 1 else {(device_id,): found}
        for one in asked:
            self._read[one] = parts.get((one,), found.clear()).select(pl.exclude("device_id"))
        self._most_rows = max(self._most_rows, *(self._read[one].height for one in asked))
        # Where every message counts, one moment stands for readings of several parameters.
        rows = self._most_rows * (PARAMETERS if self._is_whole and not self._silence_us else 1)
        self._count = max(1, min(MOST_AT_ONCE, self._count * GROWS_BY, ROWS_AT_ONCE // max(1, rows)))

    def _rows(self, device_ids: list[int]) -> pl.DataFrame:
        """device_id, at, parameter, value, and text where there is one among the numbers."""
        frames = []
        if self._wanted:
            of_wanted = self._values(device_ids, with_text=self._has_text)
            if not self._has_text and of_wanted["value"].null_count():
                # A reading without a number is a text: rare, and the most costly column.
                of_wanted = self._values(device_ids, with_text=True)
            frames.append(of_wanted)
        if self._is_whole:
            nothing = pl.lit(None, pl.Enum(self._wanted)).alias("parameter"), pl.lit(None, pl.Float64).alias("value")
            frames.append(self._moments(device_ids).with_columns(nothing))
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")

    def _moments(self, device_ids: list[int]) -> pl.DataFrame:
        """device_id and at: when anything came."""
        if not self._silence_us:
            return self._ask("SELECT DISTINCT device_id, epoch_us(ts) AS at FROM telemetry WHERE {machines}", device_ids)
        found = self._ask(
            "SELECT device_id, min(epoch_us(ts)) AS first, max(epoch_us(ts)) AS last FROM telemetry WHERE {machines} "
            "GROUP BY device_id, epoch_us(ts) // $piece_us",
            device_ids,
            piece_us=max(1, self._silence_us // 2),
        )
        return pl.concat([found.select("device_id", pl.col(name).alias("at")) for name in ("first", "last")])

    def _values(self, device_ids: list[int], *, with_text: bool) -> pl.DataFrame:
        kinds = pl.Enum(self._wanted)
        text = ", text" if with_text else ""
        if len(self._wanted) == 1:
            sql = f"SELECT device_id, epoch_us(ts) AS at, value{text} FROM telemetry WHERE {{machines}} AND parameter = $wanted[1]"  # noqa: S608  # fixed parts
            name: pl.Expr = pl.lit(self._wanted[0], kinds)
        else:
            # Places in the list instead of names: half the time of a question is spent on strings.
            sql = (
                f"SELECT device_id, epoch_us(ts) AS at, (list_position($wanted, parameter) - 1)::UTINYINT AS place, value{text} "  # noqa: S608  # fixed parts
                "FROM telemetry WHERE {machines} AND list_contains($wanted, parameter)"
            )
            name = pl.col("place").cat.to(kinds)
        found = self._ask(sql, device_ids, wanted=self._wanted)
        return found.with_columns(name.alias("parameter")).select(pl.exclude("place"))

    def _ask(self, sql: str, device_ids: list[int], **more: Any) -> pl.DataFrame:
        # The limits beside the list: only they leave out files and parts of files.
        machines = "ts >= $since AND ts < $until AND device_id BETWEEN $first AND $last AND list_contains($machines, device_id)"
        given = self._period | {"first": min(device_ids), "last": max(device_ids), "machines": device_ids} | more
        return self._reader.query(sql.format(machines=machines), given)


def silence_us(rule: Rule) -> int:
    """How long a machine must be silent, when the rule asks for nothing else; 0 for other rules.

    Such a rule turns only where nothing came for so long: of each piece of time that is shorter the first and the last moment say all.
    """
    condition = rule.condition
    if isinstance(condition, Missing) and condition.parameter == WHOLE_DEVICE and rule.clear is None:
        return condition.for_us
    return 0
