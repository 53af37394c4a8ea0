"""Warnings on saving: what the author of a rule probably did not mean."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rules.lint import Known, Seen, lint, warnings
from rules.parse import parse_condition
from tests.rules.installation import HOT, START, add_device, add_factory, add_rule
from tests.warehouse.frames import series
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.alerting import Rule
from warehouse.rollups import replace_window

KNOWN = Known(
    units={"temp": frozenset({"°C"}), "setpoint": frozenset({"°F"}), "flow": frozenset({"L/min", "m³/h"}), "speed": frozenset()},
    seen={"temp": Seen(20, 75), "speed": Seen(5, 5)},
    others=[("Too hot", parse_condition({"parameter": "temp", "operator": "gt", "threshold": 70}))],
)


def leaf(operator: str, threshold: float, parameter: str = "temp") -> dict[str, Any]:
    return {"parameter": parameter, "operator": operator, "threshold": threshold}


def band(operator: str, low: float, high: float) -> dict[str, Any]:
    return {"parameter": "temp", "operator": operator, "low": low, "high": high}


def both(*parts: dict[str, Any], operator: str = "AND") -> dict[str, Any]:
    return {"operator": operator, "conditions": list(parts)}


@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        (leaf("lt", 30), []),
        (leaf("gt", 60), ["overlap"]),
        (leaf("gt", 1, "temperature"), ["unknown_parameter"]),
        ({"missing": "*", "for_minutes": 5}, []),
        (leaf("lt", 20), ["never_true"]),
        (leaf("lte", 20), []),
        (leaf("lt", 76), ["always_true"]),
        (leaf("lt", 75), []),
        (leaf("gte", 5, "speed"), ["always_true"]),
        (leaf("eq", 6, "speed"), ["never_true"]),
        (leaf("neq", 6, "speed"), []),
        (band("outside", 10, 80), ["never_true"]),
        (band("outside", 80, 90), ["always_true"]),
        (band("between", 10, 80), ["always_true"]),
        (band("between", 80, 90), ["never_true"]),
        (band("between", 30, 40), []),
        (leaf("gt", 3, "flow"), ["units"]),
        ({"parameter": "temp", "operator": "gt", "other_parameter": "setpoint"}, ["units"]),
        (both(leaf("gt", 60), leaf("lt", 50)), ["contradiction"]),
        (both(leaf("gt", 60), leaf("lt", 60)), ["contradiction"]),
        (both(leaf("gte", 60), leaf("lte", 60)), []),
        (both(leaf("gt", 60), leaf("lt", 50), operator="OR"), []),
        ({**both(leaf("gt", 60), band("between", 30, 40)), "for_minutes": 5}, ["contradiction"]),
        (both(band("outside", 30, 70), leaf("eq", 50)), ["contradiction"]),
        (both(band("outside", 30, 70), leaf("gt", 60)), []),
    ],
)
def test_what_is_warned_of(document: dict[str, Any], kinds: list[str]) -> None:
    assert [warned.kind for warned in warnings(parse_condition(document), KNOWN)] == kinds


@pytest.mark.parametrize(("minutes", "kinds"), [(160, []), (240, ["wide_window"])])
def test_a_window_that_holds_more_readings_than_are_remembered(minutes: int, kinds: list[str]) -> None:
    two_a_second = replace(KNOWN, seen={"temp": Seen(20, 75, most_an_hour=7200)})
    condition = parse_condition({**leaf("gt", 60), "aggregate": "mean", "window_minutes": minutes})
    assert [warned.kind for warned in warnings(condition, two_a_second)] == kinds


def test_a_warning_says_what_was_seen() -> None:
    assert (
        warnings(parse_condition(leaf("lt", 20)), KNOWN)[0].message
        == "temp lt 20 would have been never true: in the last 30 days it was 20 to 75"
    )


def test_thresholds_are_compared_with_the_rules_own_machines(sqlite_database: Database, lake: Lake) -> None:
    factory = add_factory(sqlite_database)
    device = add_device(sqlite_database, factory)
    lake.append(series(device, "spindle_temp", [60.0, 70.0], factory_id=factory))
    lake.append(series(device + 1, "spindle_temp", [99.0], factory_id=factory))
    replace_window(lake, "1h", START, START + timedelta(hours=1))
    add_rule(sqlite_database, factory, name="Hot already", devices=[device])
    rule = Rule(conditions=HOT)
    kinds = {warned.kind for warned in lint(sqlite_database, lake, factory, rule, [device], START + timedelta(days=1))}
    assert kinds == {"never_true", "overlap"}
    assert "never_true" not in {
        warned.kind for warned in lint(sqlite_database, lake, factory, rule, [device, device + 1], START + timedelta(days=1))
    }
    assert "never_true" not in {warned.kind for warned in lint(sqlite_database, lake, factory, rule, [device], START + timedelta(days=40))}


def test_who_remembers_the_history_is_asked_instead_of_the_lake(sqlite_database: Database, lake: Lake) -> None:
    factory = add_factory(sqlite_database)
    device = add_device(sqlite_database, factory)
    asked = []

    def seen_of(name: str, device_ids: tuple[int, ...]) -> Seen | None:
        asked.append((name, device_ids))
        return Seen(60, 70)

    rule = Rule(factory_id=factory, name="Hot", scope="global", conditions=HOT)
    found = lint(sqlite_database, lake, factory, rule, [], START, seen_of=seen_of)
    assert [warned.kind for warned in found] == ["never_true"]
    assert asked == [("spindle_temp", (device,))]
