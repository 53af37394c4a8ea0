"""Where a backtest looks: at the turns of what holds for a moment, joined as the truth table says."""

from typing import Any

import polars as pl
import pytest

from rules.parse import parse_definition
from rules.turns import momentary, turns
from rules.vectors import AT
from tests.rules.timelines import HOT

LOUD = {"parameter": "load", "operator": "gt", "threshold": 5}


def history(temp: str, load: str = "") -> pl.DataFrame:
    """One moment a second; `.` is unknown."""
    columns = {
        name: [None if cell == "." else float(cell) for cell in row.split()] for name, row in (("temp", temp), ("load", load)) if row
    }
    height = len(columns["temp"])
    return pl.DataFrame(
        {AT: [second * 1_000_000 for second in range(height)], **columns}, schema_overrides=dict.fromkeys(columns, pl.Float64)
    )


def seconds(document: dict[str, Any], *histories: pl.DataFrame) -> list[int]:
    condition = parse_definition(document).condition
    return [int(at) // 1_000_000 for at in turns(histories, list(momentary(condition)))]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        #      second   0  1  2  3  4  5  6
        # temp > 80     u  T  T  F  T  T  F
        # load > 5      T  T  u  u  F  T  T
        # AND           u  T  u  F  F  T  F      OR   T  T  T  u  T  T  T
        ("AND", [0, 1, 2, 3, 5, 6]),
        ("OR", [0, 3, 4]),
    ],
)
def test_a_group_turns_where_its_truth_does(operator: str, expected: list[int]) -> None:
    both = history(". 85 85 70 85 85 70", "6 6 . . 1 6 6")
    assert seconds({"operator": operator, "conditions": [HOT, LOUD]}, both) == expected


def test_what_does_not_last_long_enough_is_no_turn_of_a_held_part() -> None:
    """True at 1-2 (too short), at 4-7 (three seconds), after unknown at 9 (kept), and at the end (kept)."""
    document = {**HOT, "for_minutes": 3 / 60}
    assert seconds(document, history("70 85 85 70 85 85 85 70 . 85 70 85")) == [0, 4, 7, 8, 9, 10, 11]


def test_so_many_machines_turn_where_their_number_does() -> None:
    """Two of three: unknown, as long as two may be; 2 is true with the machines 1 and 3, and 4 with 2 and 3."""
    one, two, three = history("70 70 85 70 70 70"), history(". . . 70 85 85"), history("85 85 85 85 85 70")
    assert seconds({"at_least": 2, "condition": HOT}, one, two, three) == [0, 2, 3, 4, 5]


def test_each_limit_of_a_dead_band_and_no_silence_has_turns() -> None:
    document = {"operator": "AND", "conditions": [{**HOT, "deadband": 5}, {"missing": "load", "for_minutes": 1}]}
    assert seconds(document, history("70 77 85 77 70")) == [0, 1, 2, 3, 4]
