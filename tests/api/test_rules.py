"""The API of rules, with the examples of the specification."""

from typing import Any

import pytest
from sqlalchemy import select

from rules.store import RuleStore
from tests.api.asking import Asking
from tests.fixtures.two_plants import TwoPlants
from warehouse.models.people import AuditEvent
from warehouse.tenancy import system_session, tenant_session

SPINDLE = {"operator": "AND", "conditions": [{"parameter": "spindle_temp", "operator": "gt", "threshold": 80}]}
RULE: dict[str, Any] = {
    "name": "Spindle Overheat",
    "description": "Alert when spindle temperature is too high",
    "scope": "device",
    "conditions": SPINDLE,
    "cooldown_minutes": 15,
    "severity": "critical",
    "schedule_type": "always",
    "notification_channels": {"email": True, "whatsapp": False},
}


@pytest.fixture
def north(two_plants: TwoPlants) -> Asking:
    return Asking(two_plants, two_plants.north)


@pytest.fixture
def looking(seen_plants: TwoPlants) -> Asking:
    return Asking(seen_plants, seen_plants.north)


def hot(asking: Asking) -> int:
    return asking.plant.devices[asking.plant.hot]


def test_a_rule_is_made_as_the_specification_writes_it_and_evaluated(north: Asking) -> None:
    made = north.ask("POST", "/rules", 201, **RULE, device_ids=[hot(north)])
    assert {name: made[name] for name in RULE} == RULE
    assert (made["device_ids"], made["is_active"], made["created_by"]) == ([hot(north)], True, north.plant.person.user_id)
    assert made.pop("warnings") == ["rule 'NOR overheat' has the same condition"]
    assert north.ask("GET", f"/rules/{made['id']}") == made
    store, inst = RuleStore(), north.plants.installation
    with system_session(inst.db, "test") as session:
        store.refresh(session, inst.clock.now())
    assert made["id"] in store.book.by_id
    assert store.broken == {}


def test_rules_are_filtered_and_paged(north: Asking) -> None:
    made = north.ask("POST", "/rules", 201, **RULE, device_ids=[hot(north)])
    everything = north.ask("GET", "/rules")
    assert (everything["total"], [rule["id"] for rule in everything["data"]][-1]) == (2, made["id"])
    assert [rule["id"] for rule in north.ask("GET", "/rules", device_id=hot(north))["data"]] == [made["id"]]
    assert north.ask("GET", "/rules", scope="global")["total"] == 1
    assert north.ask("GET", "/rules", is_active=False)["total"] == 0
    assert made.pop("warnings") == ["rule 'NOR overheat' has the same condition"]
    assert north.ask("GET", "/rules", per_page=1, page=2)["data"] == [made]


def test_saving_warns_of_what_was_probably_not_meant(north: Asking) -> None:
    wrong = {"parameter": "no_such_thing", "operator": "gt", "threshold": 80}
    made = north.ask("POST", "/rules", 201, **{**RULE, "conditions": wrong}, device_ids=[hot(north)])
    assert made["warnings"] == ["no machine of this rule has a parameter 'no_such_thing': the condition stays unknown"]
    never = {"operator": "AND", "conditions": [wrong, {**wrong, "operator": "lt"}]}
    changed = north.ask("PATCH", f"/rules/{made['id']}", conditions=never)
    assert "cannot hold at once" in changed["warnings"][-1]


def test_only_what_is_given_changes(north: Asking) -> None:
    made = north.ask("POST", "/rules", 201, **RULE, device_ids=[hot(north)])
    north.plants.clock.set(north.plants.clock.now().replace(minute=5))
    changed = north.ask("PATCH", f"/rules/{made['id']}", severity="high", cooldown_minutes=30)
    assert {**changed, "updated_at": 0} == {**made, "severity": "high", "cooldown_minutes": 30, "updated_at": 0}
    assert changed["updated_at"] > made["updated_at"]
    assert north.ask("PATCH", f"/rules/{made['id']}", scope="global")["device_ids"] == []


def test_a_rule_is_switched_and_deleted(north: Asking) -> None:
    made = north.ask("POST", "/rules", 201, **RULE, device_ids=[hot(north)])
    assert north.ask("PATCH", f"/rules/{made['id']}/toggle")["is_active"] is False
    assert north.ask("PATCH", f"/rules/{made['id']}/toggle")["is_active"] is True
    assert north.ask("DELETE", f"/rules/{made['id']}") == {"message": "Rule deleted successfully"}
    north.ask("GET", f"/rules/{made['id']}", 404)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"conditions": {"parameter": "x", "operator": "above", "threshold": 1}}, "$.operator"),
        ({"conditions": {}}, "$"),
        ({"scope": "global"}, "device_ids"),
        ({"device_ids": []}, "device_ids"),
        ({"schedule_type": "time_window", "schedule_config": {"start_time": "25:00", "end_time": "06:00"}}, "$.schedule_config.start_time"),
        ({"severity": "fatal"}, "body.severity"),
        ({"name": ""}, "body.name"),
        ({"colour": "red"}, "body.colour"),
        ({"cooldown_minutes": -1}, "body.cooldown_minutes"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_place(north: Asking, wrong: dict[str, Any], place: str) -> None:
    said = north.ask("POST", "/rules", 422, **{**RULE, "device_ids": [hot(north)], **wrong})
    assert said["errors"][0]["path"].startswith(place), said
    assert north.ask("GET", "/rules")["total"] == 1


def test_machines_and_rules_of_another_factory_do_not_exist(north: Asking) -> None:
    south = north.plants.south
    north.ask("POST", "/rules", 404, **RULE, device_ids=[south.devices[south.hot]])
    theirs = Asking(north.plants, south).ask("GET", "/rules")["data"][0]["id"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("PATCH", "/toggle")):
        north.ask(method, f"/rules/{theirs}{path}", 404)


@pytest.mark.parametrize("columns", [{"permissions": {"create_rules": False}}, {"role": "viewer"}])
def test_without_the_permission_rules_are_only_looked_at(two_plants: TwoPlants, columns: dict[str, Any]) -> None:
    looking = Asking(two_plants, two_plants.north, **columns)
    rule = looking.ask("GET", "/rules")["data"][0]["id"]
    looking.ask("POST", "/rules", 403, **RULE, device_ids=[hot(looking)])
    for method, path in (("PATCH", ""), ("DELETE", ""), ("PATCH", "/toggle")):
        looking.ask(method, f"/rules/{rule}{path}", 403)


def test_every_change_of_a_rule_is_in_the_audit_trail(north: Asking) -> None:
    rule = north.ask("POST", "/rules", 201, **RULE, device_ids=[hot(north)])["id"]
    north.ask("PATCH", f"/rules/{rule}", severity="low")
    north.ask("PATCH", f"/rules/{rule}/toggle")
    north.ask("DELETE", f"/rules/{rule}")
    with tenant_session(north.plants.installation.db, north.plant.person.factory_id) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.target == f"rule:{rule}").order_by(AuditEvent.id)).all()
    assert [event.action for event in events] == ["rule.create", "rule.change", "rule.toggle", "rule.delete"]
    assert [(e.before or {}).get("severity") for e in events] == [None, "critical", None, "low"]
    assert {e.user_id for e in events} == {north.plant.person.user_id}


def test_a_rule_is_tried_on_the_past_beside_its_present_version(looking: Asking) -> None:
    rule = looking.ask("GET", "/rules")["data"][0]["id"]
    past = {"since": "2026-01-05T07:00:00Z", "until": "2026-01-05T08:00:00Z"}
    # The fixture's spindle rises from 70 to 84.75 °C within the hour, a quarter of a degree each minute.
    tried = looking.ask("POST", f"/rules/{rule}/backtest", **past)
    assert (tried["tried"]["alerts"], tried["present"]) == (3, None)
    assert {episode["start"] for episode in tried["tried"]["episodes"]} == {"2026-01-05T07:41:00Z"}
    cold = {"operator": "AND", "conditions": [{"parameter": "spindle_temp", "operator": "gt", "threshold": 90}]}
    compared = looking.ask("POST", f"/rules/{rule}/backtest", **past, changed={"conditions": cold})
    assert (compared["tried"]["alerts"], compared["only_tried"], compared["only_present"], compared["both"]) == (0, 0, 3, 0)
    looking.ask("POST", f"/rules/{rule}/backtest", 422, since=past["until"], until=past["since"])
    looking.ask("POST", "/rules/999/backtest", 404, **past)


def test_what_looks_wrong_in_a_rule_is_said(looking: Asking) -> None:
    rule = looking.ask("GET", "/rules")["data"][0]["id"]
    assert isinstance(looking.ask("GET", f"/rules/{rule}/lint")["data"], list)
    wrong = {**RULE, "conditions": {"parameter": "no_such", "operator": "gt", "threshold": 1}, "device_ids": [hot(looking)]}
    assert [warned["kind"] for warned in looking.ask("POST", "/rules/lint", **wrong)["data"]] == ["unknown_parameter"]
    theirs = Asking(looking.plants, looking.plants.south).ask("GET", "/rules")["data"][0]["id"]
    looking.ask("GET", f"/rules/{theirs}/lint", 404)
    looking.ask("POST", f"/rules/{theirs}/backtest", 404, since="2026-01-05T07:00:00Z", until="2026-01-05T08:00:00Z")
