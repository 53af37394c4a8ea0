"""Every example of docs/rules.md does what the page says."""

import json
import re
from zoneinfo import ZoneInfo

import pytest

from rules.conditions import WHOLE_DEVICE, Combination, Comparison, Group, Not, Operator
from rules.measures import no_baseline, worked_out
from rules.memory import MOST_READINGS_IN_A_WINDOW
from rules.notify.outbox import PAUSES_S, TRIES
from rules.parse import (
    DEEPEST,
    MOST_COMPARISONS,
    condition_to_json,
    definition_to_json,
    parse_condition,
    parse_definition,
    parse_schedule,
)
from rules.truth import compiled
from tests.helpers import REPOSITORY
from tests.rules.timelines import DEVICE, Plant, rule
from warehouse.shifts import FactoryClock, parse_shifts, shifts_json

PAGE = (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", PAGE, re.DOTALL)
SHIFTS = FactoryClock("Europe/Berlin").times()
TRUTH = {"true": True, "unknown": None, "false": False}


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_every_example_is_read(kind: str, text: str) -> None:
    document = json.loads(text)
    if kind == "condition":
        assert condition_to_json(parse_condition(document)) == document
    elif kind == "definition":
        assert definition_to_json(parse_definition(document)) == document
    elif kind == "shifts":
        assert shifts_json(parse_shifts(document)) == document
    else:
        parse_schedule(kind, document, ZoneInfo("Europe/Berlin"), shifts=SHIFTS)


@pytest.mark.parametrize(("kind", "text"), [example for example in EXAMPLES if example[0] in {"condition", "definition"}])
def test_every_example_runs(kind: str, text: str) -> None:
    """As a rule over a minute of its own parameters: low values, high values, silence."""
    watched = rule(json.loads(text), devices=(1, 2, 3))
    plant = Plant(watched)
    names = sorted(watched.parameters - {WHOLE_DEVICE}) or ["anything"]
    for at, value in ((0, -1000.0), (30, 1000.0), (60, 0.0)):
        for device in (1, 2, 3):
            plant.happened((at, dict.fromkeys(names, value)), device=device)
    plant.silence_until(3600)
    assert plant.memory.counts.evaluated == (9 * len(names) if watched.parameters != {WHOLE_DEVICE} else 0)


def test_the_truth_table_of_not() -> None:
    table = re.search(r"\| NOT \| \|\n\|[-|]+\|\n((?:\|.*\n){3})", PAGE)
    assert table is not None
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    assert len(rows) == 3
    for inner, result in rows:
        leaf = Comparison({"true": "t", "false": "f", "unknown": "u"}[inner], Operator.GT, 0)
        assert compiled(Not(leaf))({"t": 1.0, "f": -1.0}) is TRUTH[result]


def test_the_shifts() -> None:
    for name, (start, end) in SHIFTS.items():
        assert re.search(rf"`{name}`\s{start:%H:%M}-{end:%H:%M}", PAGE)


@pytest.mark.parametrize("operator", list(Combination))
def test_the_truth_tables(operator: Combination) -> None:
    leaves = {True: Comparison("t", Operator.GT, 0), False: Comparison("f", Operator.GT, 0), None: Comparison("u", Operator.GT, 0)}
    table = re.search(rf"\| {operator} \| true \| unknown \| false \|\n\|[-|]+\|\n((?:\|.*\n){{3}})", PAGE)
    assert table is not None
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    for left, *results in rows:
        for right, result in zip(("true", "unknown", "false"), results, strict=True):
            group = Group(operator, (leaves[TRUTH[left]], leaves[TRUTH[right]]))
            assert compiled(group)({"t": 1.0, "f": -1.0}) is TRUTH[result]


def test_the_timeline() -> None:
    block = re.search(r"temperature +(.*?) +above 80, cooldown 4 minutes\nminute .*\nalert(.*)\n", PAGE)
    assert block is not None
    plant = Plant(rule(cooldown_min=4))
    found = plant.alert_times(*([(60.0 * i, {"temp": float(value)})] for i, value in enumerate(block[1].split())))
    assert [at / 60 for at in found] == [1, 5]
    assert block[2].count("!") == len(found)


def test_the_figures() -> None:
    assert f"{MOST_COMPARISONS} comparisons" in PAGE
    assert DEEPEST == 10
    assert (TRIES, PAUSES_S) == (3, (5, 30))
    assert f"the newest {MOST_READINGS_IN_A_WINDOW:,} readings are remembered" in PAGE


def test_of_a_window_that_holds_more_the_newest_readings_count() -> None:
    """Two readings a second over a window of four hours, which would hold 28,800."""
    watched = rule({"parameter": "temp", "aggregate": "count", "window_minutes": 240, "operator": "gt", "threshold": 0})
    plant = Plant(watched)
    plant.memory.look_back(plant.book.windows)
    for number in range(28_800):
        plant.memory.learn(DEVICE, number * 500_000, {"temp": 1.0}, number * 500_000)
    [counted] = worked_out(watched.needs, plant.memory.devices[DEVICE], DEVICE, 28_799 * 500_000, no_baseline).values()
    assert MOST_READINGS_IN_A_WINDOW <= counted < MOST_READINGS_IN_A_WINDOW + 100
