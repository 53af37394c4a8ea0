"""A rule in words, before anything was measured."""

import json
import re
from typing import Any

import pytest

from rules.messages import Label
from rules.parse import parse_definition
from rules.schedule_words import schedule_words
from rules.wording import definition_words, minutes_words, plain
from tests.helpers import REPOSITORY

PAGE = (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (condition|definition)\n(.*?)```", PAGE, re.DOTALL)
SCHEDULES = re.findall(r"```json (time_window|date_range)\n(.*?)```", PAGE, re.DOTALL)
LABELS = {"temp": Label("Spindle temperature", "°C"), "load": Label("Spindle load", "%"), "flow": Label("Coolant flow", "L/min")}
HOT = {"parameter": "temp", "operator": "gt", "threshold": 80}
BUSY = {"parameter": "load", "operator": "gte", "threshold": 20}
SLOW = {"parameter": "flow", "operator": "lt", "threshold": 5}


def when(document: dict[str, Any]) -> str:
    return plain(definition_words(parse_definition(document), LABELS)[0])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (HOT, "spindle temperature is above 80 °C"),
        ({**HOT, "for_minutes": 5}, "spindle temperature stays above 80 °C for 5 min"),
        ({**HOT, "deadband": 5}, "spindle temperature is above 80 °C (until it is back at 75 °C)"),
        ({**SLOW, "deadband": 2}, "coolant flow is below 5 L/min (until it is back at 7 L/min)"),
        ({"parameter": "temp", "operator": "outside", "low": 175, "high": 185}, "spindle temperature is outside 175 and 185 °C"),
        ({"parameter": "state", "operator": "eq", "text": "FAULT"}, "state says “FAULT”"),
        ({"operator": "NOT", "conditions": [{"parameter": "state", "operator": "eq", "text": "RUN"}]}, "state does not say “RUN”"),
        ({"parameter": "temp", "operator": "gt", "other_parameter": "load", "offset": 5},
         "spindle temperature is above spindle load plus 5 °C"),
        ({"parameter": "temp", "aggregate": "mean", "window_minutes": 60, "operator": "gt", "threshold": 7.1},
         "the 1 h average spindle temperature is above 7.1 °C"),
        ({"parameter": "temp", "aggregate": "rate", "window_minutes": 5, "operator": "gt", "threshold": 2},
         "spindle temperature rises by more than 2 °C a minute, over 5 min"),
        ({"parameter": "temp", "aggregate": "rate", "window_minutes": 5, "operator": "lt", "threshold": -2},
         "spindle temperature falls by more than 2 °C a minute, over 5 min"),
        ({"parameter": "temp", "aggregate": "count", "window_minutes": 5, "operator": "lt", "threshold": 2},
         "the number of readings of spindle temperature in 5 min is below 2"),
        ({"parameter": "load", "operator": "outside", "deviations": 3, "weeks": 4},
         "spindle load is more than 3 standard deviations higher or lower than usual at this hour of the week, by the last 4 weeks"),
        ({"missing": "flow", "for_minutes": 10}, "coolant flow has no data for 10 min"),
        ({"missing": "*", "for_minutes": 1440}, "the machine says nothing for 1 day"),
        ({"operator": "AND", "conditions": [HOT, {"operator": "OR", "conditions": [BUSY, SLOW]}]},
         "spindle temperature is above 80 °C and (spindle load is at or above 20 % or coolant flow is below 5 L/min)"),
        ({"operator": "OR", "conditions": [HOT, BUSY, SLOW]},
         "spindle temperature is above 80 °C, spindle load is at or above 20 % or coolant flow is below 5 L/min"),
        ({"operator": "AND", "conditions": [HOT, BUSY], "for_minutes": 5},
         "(spindle temperature is above 80 °C and spindle load is at or above 20 %) without a break for 5 min"),
        ({**HOT, "repeat": {"times": 6, "within_minutes": 30}},
         "at least 6 times within 30 min it comes about that spindle temperature is above 80 °C"),
        ({"operator": "NOT", "conditions": [HOT]}, "spindle temperature is not above 80 °C"),
        ({"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [HOT, BUSY]}]},
         "none of these holds: (spindle temperature is above 80 °C or spindle load is at or above 20 %)"),
        ({"at_least": 3, "condition": HOT}, "on at least 3 of the machines at once spindle temperature is above 80 °C"),
    ],
)  # fmt: skip
def test_conditions_read_as_a_part_of_a_sentence(document: dict[str, Any], words: str) -> None:
    assert when(document) == words


def test_the_end_of_an_alert_is_told() -> None:
    definition = parse_definition(
        {"when": HOT, "clear": {**HOT, "operator": "lt", "threshold": 75}, "off_delay_minutes": 2, "auto_resolve": True}
    )
    assert plain(definition_words(definition, LABELS)[1]) == "spindle temperature is below 75 °C, for 2 min; it is then resolved by itself"
    assert definition_words(parse_definition(HOT), LABELS)[1] == "that no longer holds"


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_every_example_of_the_documentation_has_words_without_marks_of_the_program(kind: str, text: str) -> None:
    told = " ".join(definition_words(parse_definition(json.loads(text)), {}))
    assert kind
    assert len(told) > 10
    assert not re.search(r"[{}\[\]_]|None|Operator|for_us|gt\b", told), told


def test_names_of_parameters_cannot_bring_marks_of_their_own() -> None:
    told = definition_words(parse_definition(HOT), {"temp": Label("a\x02b\x03", "\x02")})[0]
    assert told.count("\x02") == told.count("\x03") == 1


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0.5, "30 s"), (5, "5 min"), (1.5, "1.5 min"), (60, "1 h"), (150, "2 h 30 min"), (1440, "1 day"), (4320, "3 days"), (1500, "25 h")],
)
def test_spans_are_told_in_the_unit_that_people_use(minutes: float, words: str) -> None:
    assert minutes_words(minutes) == words


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("always", None, ""),
        ("time_window", {"start_time": "22:00", "end_time": "06:00", "days": [1, 2, 3, 4, 5]}, "from 22:00 to 06:00 from Mon to Fri"),
        ("time_window", {"shift": "late", "days": [6, 7]}, "in the late shift on Sat and Sun"),
        (
            "time_window",
            {"windows": [{"start": "06:00", "end": "12:00"}, {"shift": "night"}]},
            "from 06:00 to 12:00 and in the night shift",
        ),
        ("date_range", {"start_date": "2026-01-01", "end_date": "2026-12-31"}, "from 1 Jan 2026 until 31 Dec 2026"),
        ("date_range", {"start_date": "2026-12-01", "windows": [{"shift": "early"}]}, "from 1 Dec 2026, in the early shift"),
    ],
)
def test_schedules_are_told(kind: str, config: dict[str, Any] | None, words: str) -> None:
    assert schedule_words(kind, config) == words


@pytest.mark.parametrize(("kind", "text"), SCHEDULES)
def test_every_schedule_of_the_documentation_is_told(kind: str, text: str) -> None:
    assert schedule_words(kind, json.loads(text))
