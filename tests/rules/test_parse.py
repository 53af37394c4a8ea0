"""JSON of rules to trees and schedules; every error names the place and what is allowed there."""

import json
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions import Combination, Comparison, Condition, Group, Operator
from rules.parse import DEEPEST, MOST_COMPARISONS, condition_to_json, definition_to_json, parse_condition, parse_definition, parse_schedule
from rules.schedule import ALWAYS, DateRange, TimeWindow
from tests.rules.kinds import KINDS, Kind
from warehouse.errors import InvalidInputError

BERLIN = ZoneInfo("Europe/Berlin")
LEAF = {"parameter": "temp", "operator": "gt", "threshold": 80}
SPEC_EXAMPLE = """
{
  "operator": "AND",
  "conditions": [
    {"parameter": "spindle_temp", "operator": "gt", "threshold": 80},
    {
      "operator": "OR",
      "conditions": [
        {"parameter": "coolant_flow", "operator": "lt", "threshold": 5},
        {"parameter": "vibration", "operator": "gt", "threshold": 10}
      ]
    }
  ]
}
"""


def test_the_specifications_example() -> None:
    assert parse_condition(json.loads(SPEC_EXAMPLE)) == Group(
        Combination.AND,
        (
            Comparison("spindle_temp", Operator.GT, 80),
            Group(Combination.OR, (Comparison("coolant_flow", Operator.LT, 5), Comparison("vibration", Operator.GT, 10))),
        ),
    )


def test_a_comparison_alone_is_a_tree() -> None:
    assert parse_condition(LEAF) == Comparison("temp", Operator.GT, 80)


def group(*conditions: Any, operator: Any = "AND") -> dict[str, Any]:
    return {"operator": operator, "conditions": list(conditions)}


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = LEAF
    for _ in range(depth):
        tree = group(tree)
    return tree


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        (None, "$", "must be an object, not null"),
        ([LEAF], "$", "not a list"),
        ({}, "$.parameter", "key of a parameter"),
        (group(operator="XOR"), "$.operator", "'XOR' does not join conditions; allowed: AND, OR"),
        (group(LEAF, operator="and"), "$.operator", "allowed: AND, OR"),
        (group(), "$.conditions", "at least one condition"),
        ({"operator": "AND", "conditions": LEAF}, "$.conditions", "must be a list"),
        ({"operator": "AND"}, "$.conditions", "must be a list"),
        (group(LEAF, 7), "$.conditions[1]", "must be an object, not a number"),
        (group(LEAF, {**LEAF, "operator": ">"}), "$.conditions[1].operator", "'>' compares nothing; allowed: gt, gte, lt, lte, eq, neq"),
        (group(group({**LEAF, "operator": None})), "$.conditions[0].conditions[0].operator", "allowed: gt"),
        (group({**LEAF, "threshold": "80"}), "$.conditions[0].threshold", "must be a number, not a text"),
        (group({**LEAF, "threshold": True}), "$.conditions[0].threshold", "must be a number, not true or false"),
        (group({**LEAF, "threshold": None}), "$.conditions[0].threshold", "must be a number, not null"),
        (group({**LEAF, "threshold": float("nan")}), "$.conditions[0].threshold", "finite"),
        (group({**LEAF, "threshold": float("inf")}), "$.conditions[0].threshold", "finite"),
        (group({**LEAF, "threshold": 10**400}), "$.conditions[0].threshold", "finite"),
        (group({**LEAF, "parameter": ""}), "$.conditions[0].parameter", "1 to 100 characters"),
        (group({**LEAF, "parameter": 5}), "$.conditions[0].parameter", "a text"),
        (group({**LEAF, "treshold": 80}), "$.conditions[0].treshold", "not known here; allowed: parameter, operator, threshold"),
        ({**group(LEAF), "name": "x"}, "$.name", "allowed: operator, conditions"),
        (nested(DEEPEST + 1), "$" + ".conditions[0]" * DEEPEST, "deeper than 10 levels"),
        (group(*[LEAF] * (MOST_COMPARISONS + 1)), "$", "201 comparisons; at most 200"),
    ],
)
def test_errors_name_the_place_and_what_is_allowed(document: object, path: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_condition(document)
    assert refused.value.facts["path"] == path
    assert said in refused.value.message
    assert refused.value.message.startswith(path)


def test_the_deepest_allowed_tree_is_accepted() -> None:
    parse_condition(nested(DEEPEST))


def test_errors_start_at_the_path_of_the_caller() -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_condition(group(operator="XOR"), path="$.conditions")
    assert refused.value.facts["path"] == "$.conditions.operator"


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9).map(float)
comparisons = st.builds(Comparison, st.text(min_size=1, max_size=100), st.sampled_from(Operator), numbers)
trees = st.recursive(
    comparisons,
    lambda inner: st.builds(Group, st.sampled_from(Combination), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=8,
)


@given(trees)
def test_a_tree_written_as_json_reads_back_as_itself(tree: Condition) -> None:
    assert parse_condition(json.loads(json.dumps(condition_to_json(tree)))) == tree


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["operator", "conditions", "parameter", "threshold", "x"]), x | st.sampled_from(["AND", "gt"])
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_either_read_or_refused_with_a_path(document: object) -> None:
    try:
        parse_condition(document)
        path = "$"
    except InvalidInputError as refused:
        path = str(refused.facts["path"])
    assert path.startswith("$")


def test_schedules_of_the_specification() -> None:
    window = parse_schedule("time_window", {"start_time": "06:00", "end_time": "22:00", "days": [1, 2, 3, 4, 5]}, BERLIN)
    assert isinstance(window, TimeWindow)
    assert (window.start, window.end, window.days) == (time(6), time(22), {1, 2, 3, 4, 5})
    dates = parse_schedule("date_range", {"start_date": "2026-01-01", "end_date": "2026-12-31"}, BERLIN)
    assert isinstance(dates, DateRange)
    assert (dates.first, dates.last) == (date(2026, 1, 1), date(2026, 12, 31))
    assert parse_schedule("always", None, BERLIN) is ALWAYS


def test_the_short_names_of_the_specifications_overview_are_understood() -> None:
    window = parse_schedule("time_window", {"start": "06:00", "end": "24:00"}, BERLIN)
    assert isinstance(window, TimeWindow)
    assert (window.start, window.days) == (time(6), frozenset(range(1, 8)))


@pytest.mark.parametrize(
    ("kind", "config", "path", "said"),
    [
        ("sometimes", None, "$.schedule_type", "allowed: always, time_window, date_range"),
        ("time_window", None, "$.schedule_config", "must be an object, not null"),
        ("time_window", {"end_time": "22:00"}, "$.schedule_config.start_time", "None is no time of day; allowed: HH:MM"),
        ("time_window", {"start_time": "25:00", "end_time": "22:00"}, "$.schedule_config.start_time", "'25:00'"),
        ("time_window", {"start_time": "6", "end_time": "22:00"}, "$.schedule_config.start_time", "HH:MM"),
        ("time_window", {"start_time": "06:00", "end_time": "06:00"}, "$.schedule_config.end_time", "equals start_time"),
        ("time_window", {"start_time": "06:00", "end_time": "22:00", "days": []}, "$.schedule_config.days", "at least one day"),
        (
            "time_window",
            {"start_time": "06:00", "end_time": "22:00", "days": [1, 0]},
            "$.schedule_config.days[1]",
            "Monday is 1, Sunday is 7",
        ),
        ("time_window", {"start_time": "06:00", "end_time": "22:00", "days": [True]}, "$.schedule_config.days[0]", "no day"),
        ("time_window", {"start_time": "06:00", "end_time": "22:00", "day": [1]}, "$.schedule_config.day", "not known here"),
        ("date_range", {}, "$.schedule_config", "start_date, end_date"),
        ("date_range", {"start_date": "2026-02-30"}, "$.schedule_config.start_date", "YYYY-MM-DD"),
        ("date_range", {"start_date": "2026-02-02", "end_date": "2026-02-01"}, "$.schedule_config.end_date", "before start_date"),
    ],
)
def test_errors_of_schedules_name_the_place(kind: str, config: object, path: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_schedule(kind, config, BERLIN)
    assert refused.value.facts["path"] == path
    assert said in refused.value.message


BAND = {"parameter": "temp", "operator": "between", "low": 1, "high": 5}
MEAN = {**LEAF, "aggregate": "mean", "window_minutes": 5}
USUAL = {"parameter": "temp", "operator": "outside", "deviations": 3, "weeks": 4}
TEXT = {"parameter": "state", "operator": "eq", "text": "RUN"}


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ({**BAND, "low": 7}, "$.high", "5 is below low 7"),
        ({**BAND, "low": None}, "$.low", "must be a number, not null"),
        ({**BAND, "threshold": 3}, "$.threshold", "not known here; allowed: parameter, operator, low, high"),
        ({**LEAF, "low": 3, "high": 4}, "$.threshold", "not known here; allowed: parameter, operator, low, high"),
        ({**BAND, "operator": "outside", "deadband": 3}, "$.deadband", "wider than half the range"),
        ({**LEAF, "deadband": -1}, "$.deadband", "must be more than 0"),
        ({**LEAF, "operator": "eq", "deadband": 1}, "$.deadband", "has no meaning for eq; allowed: gt"),
        ({**LEAF, "for_minutes": 0}, "$.for_minutes", "must be more than 0 and at most 10080"),
        ({**LEAF, "for_minutes": "5"}, "$.for_minutes", "must be a number, not a text"),
        ({**group(LEAF), "for_minutes": -1}, "$.for_minutes", "must be more than 0"),
        ({**LEAF, "repeat": 3}, "$.repeat", "must be an object, not a number; allowed: times, within_minutes"),
        ({**LEAF, "repeat": {"times": 1, "within_minutes": 5}}, "$.repeat.times", "must be at least 2"),
        ({**LEAF, "repeat": {"times": 2.5, "within_minutes": 5}}, "$.repeat.times", "whole number"),
        ({**LEAF, "repeat": {"times": 2}}, "$.repeat.within_minutes", "must be a number, not null"),
        ({**MEAN, "aggregate": "median"}, "$.aggregate", "'median' is worked out of nothing; allowed: mean, min, max, stddev, count, rate"),
        ({**MEAN, "window_minutes": 241}, "$.window_minutes", "at most 240, not 241"),
        ({**LEAF, "window_minutes": 5}, "$.aggregate", "None is worked out of nothing"),
        ({**MEAN, "aggregate": "rate", "window_minutes": 0}, "$.window_minutes", "must be more than 0"),
        ({"parameter": "a", "operator": "gt", "other_parameter": 3}, "$.other_parameter", "key of a parameter"),
        ({"parameter": "a", "operator": "gt", "other_parameter": "a"}, "$.other_parameter", "the parameter itself"),
        ({**USUAL, "weeks": 0}, "$.weeks", "must be at least 1 and at most 52, not 0"),
        ({**USUAL, "deviations": 0}, "$.deviations", "must be more than 0"),
        ({**USUAL, "operator": "eq"}, "$.operator", "cannot be asked of a baseline; allowed: gt"),
        ({"missing": "", "for_minutes": 5}, "$.missing", "or '*' for the whole machine"),
        ({"missing": "temp"}, "$.for_minutes", "must be a number, not null"),
        ({**TEXT, "operator": "gt"}, "$.operator", "'gt' compares no texts; allowed: eq, neq"),
        ({**TEXT, "text": 5}, "$.text", "must be a text"),
        ({"at_least": 0, "condition": LEAF}, "$.at_least", "must be at least 1"),
        ({"at_least": 2, "condition": 5}, "$.condition", "must be an object"),
        (group({"at_least": 2, "condition": LEAF}), "$.conditions[0].at_least", "only the outermost condition"),
        ({"operator": "NOT", "conditions": [LEAF, LEAF]}, "$.conditions", "exactly one condition for NOT"),
    ],
)
def test_errors_of_each_kind_name_the_place(document: object, path: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_condition(document)
    assert refused.value.facts["path"] == path
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ({"when": LEAF, "clear": {**LEAF, "operator": "?"}}, "$.clear.operator", "compares nothing"),
        ({"when": {"at_least": 2, "condition": LEAF}, "clear": LEAF}, "$.clear", "must count machines (at_least) exactly when"),
        ({"when": LEAF, "off_delay_minutes": -1}, "$.off_delay_minutes", "must be more than 0"),
        ({"when": LEAF, "auto_resolve": "yes"}, "$.auto_resolve", "must be true or false, not a text"),
        ({"when": LEAF, "then": 1}, "$.then", "allowed: when, clear, off_delay_minutes, auto_resolve"),
    ],
)
def test_errors_of_definitions_name_the_place(document: object, path: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_definition(document)
    assert refused.value.facts["path"] == path
    assert said in refused.value.message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_reads_back_as_itself(kind: Kind) -> None:
    read = parse_definition(kind.document)
    assert definition_to_json(read) == kind.document
    assert parse_definition(json.loads(json.dumps(definition_to_json(read)))) == read
