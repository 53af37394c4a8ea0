"""What alerts say."""

import pytest

from rules.messages import Label, alert_message, label_of, short_number, with_unit
from rules.parse import parse_condition

LABELS = {"spindle_temp": Label("Spindle temperature", "°C"), "coolant_flow": Label("Coolant flow", "L/min"), "co2": Label("CO2", "ppm")}
HOT = {"parameter": "spindle_temp", "operator": "gt", "threshold": 80}
DRY = {"parameter": "coolant_flow", "operator": "lt", "threshold": 5}


def test_the_specifications_example() -> None:
    tree = parse_condition({"operator": "AND", "conditions": [HOT, DRY]})
    assert alert_message(tree, {"spindle_temp": 82.5, "coolant_flow": 3.2}, LABELS) == (
        "Spindle temperature (82.5°C) exceeded threshold (80°C) AND coolant flow (3.2 L/min) below threshold (5 L/min)"
    )


def test_of_an_or_only_what_holds_is_told() -> None:
    tree = parse_condition({"operator": "OR", "conditions": [HOT, DRY]})
    assert alert_message(tree, {"spindle_temp": 70, "coolant_flow": 3.2}, LABELS) == "Coolant flow (3.2 L/min) below threshold (5 L/min)"


def test_an_abbreviation_keeps_its_capitals_inside_the_sentence() -> None:
    tree = parse_condition({"operator": "AND", "conditions": [HOT, {"parameter": "co2", "operator": "gte", "threshold": 1000}]})
    assert alert_message(tree, {"spindle_temp": 82.5, "co2": 1000}, LABELS).endswith(" AND CO2 (1000 ppm) reached threshold (1000 ppm)")


@pytest.mark.parametrize(
    ("operator", "value", "said"),
    [
        ("gte", 80, "reached threshold (80°C)"),
        ("lte", 79, "at or below threshold (80°C)"),
        ("eq", 80, "equals 80°C"),
        ("neq", 3, "differs from 80°C"),
    ],
)
def test_words_of_the_other_operators(operator: str, value: float, said: str) -> None:
    tree = parse_condition({**HOT, "operator": operator})
    assert alert_message(tree, {"spindle_temp": value}, LABELS).endswith(said)


def test_a_condition_that_does_not_hold_says_nothing() -> None:
    assert alert_message(parse_condition(HOT), {"spindle_temp": 70}, LABELS) == ""


def test_a_value_just_over_the_threshold_does_not_read_like_the_threshold() -> None:
    assert alert_message(parse_condition(HOT), {"spindle_temp": 80.00002}, LABELS) == (
        "Spindle temperature (80.00002°C) exceeded threshold (80°C)"
    )


def test_a_key_without_a_name_is_made_readable() -> None:
    assert label_of("spindle_temp", "spindle_temp", None) == Label("Spindle temp")
    assert label_of("spindle_temp", None, " °C ") == Label("Spindle temp", "°C")
    assert alert_message(parse_condition(HOT), {"spindle_temp": 81}, {}) == "Spindle temp (81) exceeded threshold (80)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (82.5, "82.5"),
        (3.0, "3"),
        (0.05, "0.05"),
        (-12.3456, "-12.35"),
        (1234.56, "1235"),
        (123456.7, "123457"),
        (0.0, "0"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text


def test_units_stand_as_people_write_them() -> None:
    assert [with_unit(82.5, unit) for unit in ("°C", "%", "L/min", "")] == ["82.5°C", "82.5%", "82.5 L/min", "82.5"]
