"""The API of alerts: people's work on them, silences, whom to tell, what could not be delivered."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api.app import create_app
from api.dependencies import SESSION_COOKIE
from tests.alert_work import add_alert_work
from tests.fixtures.two_plants import NOW, Plant, TwoPlants
from warehouse.models.people import AuditEvent, User
from warehouse.tenancy import system_session

Call = Callable[..., Any]


def caller(plants: TwoPlants, plant: Plant, **columns: Any) -> Call:
    """Asks as the person of a plant; fails when the status is not the expected one."""
    with system_session(plants.installation.db, "test") as session:
        user = session.get_one(User, plant.person.user_id)
        user.permissions = {"create_rules": True}
        for name, value in columns.items():
            setattr(user, name, value)
    client = TestClient(create_app(plants.installation), headers={"origin": "http://testserver"})
    client.cookies.set(SESSION_COOKIE, plants.token(plant))

    def call(method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = client.request(method, f"/v1{path}", **({"json": body} if method not in {"GET", "DELETE"} else {"params": body}))
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call


@pytest.fixture
def north(two_plants: TwoPlants) -> Call:
    return caller(two_plants, two_plants.north)


def test_an_alert_goes_from_triggered_to_resolved_with_its_history(north: Call, two_plants: TwoPlants) -> None:
    alert, me = two_plants.north.alerts[0], two_plants.north.person.user_id
    path = f"/alerts/{alert}"
    assert north("GET", path)["status"] == "triggered"
    assert north("PATCH", f"{path}/acknowledge", comment="on my way")["status"] == "acknowledged"
    assert north("PATCH", f"{path}/assign", assignee_id=me)["assigned_to"] == "Chief of North"
    north("POST", f"{path}/comments", 201, comment="hose is loose")
    north("PATCH", f"{path}/resolve", comment="hose tightened")
    found = north("GET", path)
    assert (found["status"], found["resolved_by"], found["is_resolved_automatically"]) == ("resolved", "Chief of North", False)
    history = north("GET", f"{path}/history")["data"]
    assert [(line["kind"], line["person"], line["comment"]) for line in history] == [
        ("acknowledged", "Chief of North", "on my way"),
        ("assigned", "Chief of North", None),
        ("commented", "Chief of North", "hose is loose"),
        ("resolved", "Chief of North", "hose tightened"),
    ]
    assert history[1]["details"] == {"assignee_id": me, "assignee": "Chief of North"}


def test_what_cannot_be_meant_is_refused_with_the_reason(north: Call, two_plants: TwoPlants) -> None:
    active, resolved = two_plants.north.alerts
    north("PATCH", f"/alerts/{resolved}/assign", 422, assignee_id=two_plants.north.person.user_id)
    north("PATCH", f"/alerts/{active}/assign", 404, assignee_id=two_plants.south.person.user_id)
    north("POST", f"/alerts/{active}/comments", 422, comment="")
    ends = (NOW + timedelta(hours=1)).isoformat()
    north("POST", "/silences", 422, reason="", ends_at=ends)
    north("POST", "/silences", 422, reason="past", ends_at=(NOW - timedelta(hours=1)).isoformat())
    north("POST", "/silences", 404, reason="not ours", ends_at=ends, device_id=next(iter(two_plants.south.devices.values())))
    said = north("POST", "/silences", 422, reason="each Sunday", ends_at=ends, schedule={"start_time": "25:00", "end_time": "06:00"})
    assert "start_time" in said["detail"]
    north("PUT", "/notification-preferences", 422, channel="pigeon")
    north("POST", "/escalation-chains", 422, name="empty", steps=[])
    for url in ("ftp://cmms.example", "https://user:password@cmms.example", "http://169.254.169.254/latest"):
        north("POST", "/webhooks", 422, name="bad", url=url)


def test_a_silence_is_made_moved_and_ended(north: Call, two_plants: TwoPlants) -> None:
    ends = NOW + timedelta(hours=2)
    made = north("POST", "/silences", 201, reason="new spindle", ends_at=ends.isoformat(), region="North hall")
    assert (made["starts_at"], made["region"], made["device_id"]) == ("2026-01-05T08:00:00Z", "North hall", None)
    path = f"/silences/{made['id']}"
    moved = north("PATCH", path, ends_at=(ends + timedelta(hours=1)).isoformat())
    assert moved["ends_at"] == "2026-01-05T11:00:00Z"
    nights = {"shift": "night", "days": [5]}
    replaced = north("PUT", path, reason="each Friday night", ends_at="2026-03-01T00:00:00Z", schedule=nights)
    assert (replaced["region"], replaced["schedule"], replaced["reason"]) == (None, nights, "each Friday night")
    north("PUT", path, 422, reason="x", ends_at="2026-03-01T00:00:00Z", schedule={"shift": "siesta"})
    assert [one["id"] for one in north("GET", "/silences")["data"]] == [made["id"]]
    two_plants.clock.advance(timedelta(minutes=5))  # type: ignore[attr-defined]  # a ManualClock
    north("DELETE", path, 204)
    assert north("GET", "/silences")["data"] == []
    assert north("GET", "/silences", past=True)["data"][0]["ends_at"] == "2026-01-05T08:05:00Z"
    with system_session(two_plants.installation.db, "test") as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("silence.%")).order_by(AuditEvent.id)).all()
    assert actions == ["silence.create", "silence.change", "silence.change", "silence.end"]


def test_a_person_sets_how_they_want_to_hear(north: Call) -> None:
    assert [one["channel"] for one in north("GET", "/notification-preferences")["data"]] == ["email", "whatsapp"]
    wish = {"channel": "email", "least_severity": "medium", "digest_up_to": "medium", "hours": {"start_time": "06:00", "end_time": "18:00"}}
    north("PUT", "/notification-preferences", **wish)
    found = north("PUT", "/notification-preferences", **wish, digest_every_minutes=30)["data"][0]
    assert {name: found[name] for name in wish} == wish
    assert found["digest_every_minutes"] == 30


def test_an_escalation_chain_is_made_changed_and_deleted(north: Call, two_plants: TwoPlants) -> None:
    me = two_plants.north.person.user_id
    steps = [{"after_minutes": 30, "user_id": me}, {"after_minutes": 10, "user_id": me}]
    made = north("POST", "/escalation-chains", 201, name="Nights", steps=steps)
    assert [step["after_minutes"] for step in made["steps"]] == [10, 30]
    path = f"/escalation-chains/{made['id']}"
    changed = north("PUT", path, name="Nights", steps=steps[:1], reminder_every_minutes=15)
    assert north("GET", path) == changed
    assert (len(changed["steps"]), changed["reminder_every_minutes"]) == (1, 15)
    north("DELETE", path, 204)
    north("GET", path, 404)


def test_the_secret_of_a_webhook_is_shown_once(north: Call) -> None:
    made = north("POST", "/webhooks", 201, name="CMMS", url="https://cmms.example/hook")
    assert made["secret"].startswith("whsec_")
    (listed,) = north("GET", "/webhooks")["data"]
    assert "secret" not in listed
    changed = north("PATCH", f"/webhooks/{made['id']}", name="ERP", is_active=False)
    assert changed == {**listed, "name": "ERP", "is_active": False}
    north("PATCH", f"/webhooks/{made['id']}", 422, url="ftp://erp.example")
    north("DELETE", f"/webhooks/{made['id']}", 204)
    assert north("GET", "/webhooks")["data"] == []


def test_an_undelivered_message_is_seen_and_sent_again(north: Call, two_plants: TwoPlants) -> None:
    message = add_alert_work(two_plants, two_plants.north)["message_id"]
    (dead,) = north("GET", "/outbox/undelivered")["data"]
    assert (dead["id"], dead["status"], dead["last_error"]) == (message, "failed", "refused")
    north("POST", f"/outbox/{message}/resend", 202)
    assert north("GET", "/outbox/undelivered")["total"] == 0
    north("POST", f"/outbox/{message}/resend", 422)


def test_the_quality_of_the_alarms_of_a_week(north: Call, two_plants: TwoPlants) -> None:
    found = north("GET", "/alerts/quality")
    assert (found["total"], len(found["by_hour"]), found["mean_acknowledge_min"], found["mean_resolve_min"]) == (2, 168, 5.0, 20.0)
    north("GET", "/alerts/quality", 422, start="2026-01-05T00:00:00Z", end="2026-01-04T00:00:00Z")


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/alerts/{alert_id}/acknowledge", {}),
    ("PATCH", "/alerts/{alert_id}/assign", {"assignee_id": None}),
    ("POST", "/alerts/{alert_id}/comments", {"comment": "hello"}),
    ("PATCH", "/silences/{silence_id}", {"ends_at": "2026-01-05T20:00:00Z"}),
    ("PUT", "/silences/{silence_id}", {"reason": "mine", "ends_at": "2026-01-05T20:00:00Z"}),
    ("DELETE", "/silences/{silence_id}", {}),
    ("PUT", "/escalation-chains/{chain_id}", {"name": "mine", "steps": [], "reminder_every_minutes": 5}),
    ("DELETE", "/escalation-chains/{chain_id}", {}),
    ("PATCH", "/webhooks/{webhook_id}", {"is_active": False}),
    ("DELETE", "/webhooks/{webhook_id}", {}),
    ("POST", "/outbox/{message_id}/resend", {}),
]


def test_what_belongs_to_another_factory_cannot_be_changed(two_plants: TwoPlants) -> None:
    ids = {"alert_id": two_plants.north.alerts[0], **add_alert_work(two_plants, two_plants.north)}
    south = caller(two_plants, two_plants.south)
    for method, path, body in CHANGES:
        south(method, path.format(**ids), 404, **body)
    north = caller(two_plants, two_plants.north)
    assert north("GET", f"/alerts/{ids['alert_id']}")["status"] == "triggered"
    assert len(north("GET", f"/alerts/{ids['alert_id']}/history")["data"]) == 1
    assert (len(north("GET", "/silences")["data"]), len(north("GET", "/webhooks")["data"])) == (1, 1)
    assert north("GET", "/escalation-chains")["data"][0]["name"] == "NOR night shift"
    assert north("GET", "/outbox/undelivered")["total"] == 1


def test_a_viewer_looks_and_changes_nothing_but_their_own_preferences(two_plants: TwoPlants) -> None:
    look = caller(two_plants, two_plants.north, role="viewer", permissions={})
    alert = two_plants.north.alerts[0]
    look("GET", f"/alerts/{alert}/history")
    look("PATCH", f"/alerts/{alert}/acknowledge", 403)
    look("POST", "/silences", 403, reason="x", ends_at=(NOW + timedelta(hours=1)).isoformat())
    look("POST", "/webhooks", 403, name="x", url="https://x.example")
    look("PUT", "/notification-preferences", channel="email", is_on=False)


def test_whom_alerts_reach_is_for_those_who_make_rules(two_plants: TwoPlants) -> None:
    call = caller(two_plants, two_plants.north, permissions={})
    call("POST", "/escalation-chains", 403, name="Nights", steps=[], reminder_every_minutes=5)
    call("POST", "/webhooks", 403, name="x", url="https://x.example")
