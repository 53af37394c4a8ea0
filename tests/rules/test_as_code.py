"""Rules as YAML: what is exported comes back, a difference is told before it is made, mistakes are refused with their place."""

import pytest
import yaml
from sqlalchemy import select

from rules.as_code import Change, compare_rules, export_rules, import_rules, read_rules, template_yaml, templates
from rules.parse import parse_definition
from tests.rules.installation import HOT, add_device, add_factory, add_rule
from warehouse.access.audit import Actor
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import Rule, RuleDevice
from warehouse.tenancy import tenant_session

FILE = """
rules:
  - name: Spindle Overheat
    devices: [M01]
    severity: high
    conditions: {parameter: spindle_temp, operator: gt, threshold: 85}
  - name: Silent
    conditions: {missing: "*", for_minutes: 10}
"""
CHANGED = "conditions: {operator: gt, parameter: spindle_temp, threshold: 80} -> {operator: gt, parameter: spindle_temp, threshold: 85}"


def test_a_file_is_compared_imported_and_exported_again(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, devices=[device])
    add_rule(database, factory, name="Old")
    expected = [
        Change(
            "Spindle Overheat",
            "changed",
            (CHANGED, "severity: critical -> high"),
        ),
        Change("Silent", "new"),
        Change("Old", "only here"),
    ]  # fmt: skip
    assert compare_rules(database, factory, FILE) == expected
    assert import_rules(database, manual_clock, Actor(factory), FILE) == expected
    assert [change.kind for change in compare_rules(database, factory, FILE)] == ["same", "same", "only here"]
    again = export_rules(database, factory)
    assert {change.kind for change in compare_rules(database, factory, again)} == {"same"}
    with tenant_session(database, factory) as session:
        assert session.scalars(select(Rule.name).order_by(Rule.id)).all() == ["Spindle Overheat", "Old", "Silent"]
        assert [link.device_id for link in session.scalars(select(RuleDevice))] == [device]


def test_a_file_with_one_mistake_changes_nothing(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    broken = FILE + "    severity: dreadful\n"
    with pytest.raises(InvalidInputError, match=r"\$\.rules\[1\]\.severity 'dreadful' is not allowed; allowed: critical"):
        import_rules(database, manual_clock, Actor(plant[0]), broken)
    with tenant_session(database, plant[0]) as session:
        assert session.scalars(select(Rule)).all() == []


def test_another_factorys_machines_and_rules_do_not_exist(database: Database, plant: tuple[int, int]) -> None:
    other = add_factory(database)
    add_device(database, other, "X99")
    add_rule(database, other, name="Theirs")
    with pytest.raises(InvalidInputError, match=r"\$\.rules\[0\]\.devices: there is no machine 'X99'"):
        compare_rules(database, plant[0], FILE.replace("M01", "X99"))
    assert "Theirs" not in export_rules(database, plant[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "this is no YAML"),
        ("[]", 'one key "rules"'),
        ("rules: [3]", r"\$\.rules\[0\] must be a mapping"),
        ("rules: [{name: A, conditions: {}}]", r"\$\.rules\[0\]\.conditions\.parameter"),
        ("rules: [{name: '', conditions: {}}]", r"\$\.rules\[0\]\.name"),
        ("rules: [{name: A, treshold: 5}]", r"\$\.rules\[0\]\.treshold is not known here"),
        (f"rules: [{{name: A, conditions: {HOT}}}, {{name: A, conditions: {HOT}}}]", r"\$\.rules\[1\]\.name 'A' is there twice"),
        (f"rules: [{{name: A, cooldown_minutes: -1, conditions: {HOT}}}]", "must not be negative"),
    ],
)
def test_mistakes_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_rules(text)


def test_a_schedule_that_cannot_be_read_is_refused(database: Database, plant: tuple[int, int]) -> None:
    text = FILE + "    schedule_type: time_window\n    schedule_config: {shift: dusk}\n"
    with pytest.raises(InvalidInputError, match="'dusk' is no shift of this factory; allowed: early, late, night"):
        compare_rules(database, plant[0], text)


TEN = {
    "spindle-overheat", "bearing-wear", "pump-cavitation", "filter-clogged", "motor-overload", "compressor-short-cycling",
    "oven-out-of-band", "power-spike", "idle-energy-waste", "silent-sensor",
}  # fmt: skip


def test_there_are_ten_templates_and_all_of_them_can_be_imported(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    assert set(templates()) == TEN
    for name in TEN:
        text = template_yaml(name)
        assert parse_definition(yaml.safe_load(text)["rules"][0]["conditions"])
        assert import_rules(database, manual_clock, Actor(plant[0]), text)[0].kind == "new"
        assert compare_rules(database, plant[0], text)[0].kind == "same"


def test_an_unknown_template_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match="spindle-overheat"):
        template_yaml("spindle")
