"""What comes by the clock: escalation, reminders, the end of a silence, digests, and messages that wait for a person's hours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from rules.alerts import acknowledge, resolve
from rules.evaluation import Evaluator
from rules.notify.followup import FollowUp
from rules.notify.wishes import ChainStep, NewChain, Wish, save_chain, set_wish
from rules.silences import NewSilence, end_silence, silence
from tests.rules.installation import START, add_device, add_factory, add_rule, add_user, alerts, land, notifications, readings
from tests.rules.notify.test_outbox import Postman
from tests.rules.notify.waiting import is_sent, outbox
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.alerting import AlertEvent
from warehouse.models.people import User
from warehouse.tenancy import system_session


class Plant:
    """A factory with Anna, Bert and Cleo, and rules for machines that get hot."""

    def __init__(self, db: Database, clock: ManualClock, *, timezone: str = "UTC", **rule: Any) -> None:
        self.db, self.clock = db, clock
        self.factory = add_factory(db, timezone=timezone)
        self.device = add_device(db, self.factory)
        self.people = {name: add_user(db, self.factory, f"{name}@plant.example") for name in ("anna", "bert", "cleo")}
        self.rule = add_rule(db, self.factory, **rule)
        self.follow_up = FollowUp(db, clock, "http://factory.example")
        self._landed = 0.0

    def chain(self, *steps: tuple[float, str], **more: Any) -> int:
        asked = NewChain("Nights", [ChainStep(minutes, self.people[name]) for minutes, name in steps], **more)
        return save_chain(self.db, self.clock, self.factory, asked, user_id=self.people["anna"]).chain.id

    def alert(self, device: int | None = None) -> int:
        """Gets hot now; gives the newest alert."""
        at = (self.clock.now() - START).total_seconds()
        land(self.db, readings(self.factory, device or self.device, [(at, {"spindle_temp": 85})]))
        Evaluator(self.db, app_url="http://factory.example", clock=self.clock).step()
        return max(alert.id for alert in alerts(self.db))

    def after(self, minutes: float) -> list[tuple[str, str]]:
        """Goes on; kind and name of the messages that were written since."""
        before = len(notifications(self.db))
        self.clock.advance(timedelta(minutes=minutes))
        self.follow_up.run()
        return self.told()[before:]

    def told(self) -> list[tuple[str, str]]:
        return [(row.kind, row.recipient.partition("@")[0]) for row in notifications(self.db)]

    def wish(self, name: str, **wish: Any) -> None:
        set_wish(self.db, self.clock, self.factory, self.people[name], Wish("email", **wish))


@pytest.fixture
def plant(sqlite_database: Database, manual_clock: ManualClock) -> Iterator[Plant]:
    manual_clock.set(START)
    return Plant(sqlite_database, manual_clock)


def kinds(db: Database) -> list[str]:
    with system_session(db, "test") as session:
        return list(session.scalars(select(AlertEvent.kind).order_by(AlertEvent.id)))


def test_nobody_acknowledges_and_the_next_person_is_told_and_the_next(database: Database, manual_clock: ManualClock) -> None:
    """Who is told when.

    minutes   0      10     30     45         60
    told      Anna   Bert   Cleo   all three  all three
    """
    manual_clock.set(START)
    plant = Plant(database, manual_clock)
    plant.chain((0, "anna"), (10, "bert"), (30, "cleo"), reminder_every_minutes=15, most_reminders=2)
    plant.alert()
    assert plant.told() == [("alert", "anna")]
    assert plant.after(9.9) == []
    assert plant.after(0.1) == [("escalation", "bert")]
    assert plant.after(20) == [("escalation", "cleo")]
    everybody = [("reminder", "anna"), ("reminder", "bert"), ("reminder", "cleo")]
    assert [plant.after(15), plant.after(15), plant.after(600)] == [everybody, everybody, []]
    assert kinds(plant.db) == ["triggered", "escalated", "escalated", "reminded", "reminded"]
    escalation = notifications(plant.db)[1]
    assert escalation.subject == "[ESCALATED] [CRITICAL] FactoryOps Alert - Spindle Overheat"
    assert escalation.body.startswith("Nobody has acknowledged this alert for 10 minutes. You are next in the chain Nights.")


@pytest.mark.parametrize("act", [acknowledge, resolve])
def test_a_person_who_acts_stops_the_chain(plant: Plant, act: Any) -> None:
    plant.chain((10, "bert"), reminder_every_minutes=5)
    alert = plant.alert()
    assert plant.told() == [("alert", "anna"), ("alert", "bert"), ("alert", "cleo")]
    act(plant.db, plant.clock, plant.factory, alert, user_id=plant.people["anna"])
    assert [told for told in plant.after(60) if told[0] != "all_clear"] == []


def test_two_who_look_at_the_same_time_escalate_once(plant: Plant) -> None:
    plant.chain((10, "bert"))
    plant.alert()
    plant.clock.advance(timedelta(minutes=10))
    assert [FollowUp(plant.db, plant.clock, "").run(), FollowUp(plant.db, plant.clock, "").run()] == [1, 0]
    assert plant.told().count(("escalation", "bert")) == 1


def test_the_chain_of_the_rule_goes_before_the_one_for_all_and_mild_alerts_have_none(plant: Plant) -> None:
    plant.chain((0, "anna"))
    plant.chain((0, "bert"), rule_id=plant.rule, least_severity="critical")
    plant.alert()
    assert plant.told() == [("alert", "bert")]
    mild = Plant(plant.db, plant.clock, severity="low")
    mild.chain((0, "anna"))
    mild.alert()
    assert len(mild.told()) == 1 + 3


def test_a_chain_that_was_deleted_escalates_nothing_any_more(plant: Plant) -> None:
    plant.chain((10, "bert"), is_active=True)
    plant.alert()
    save_chain(
        plant.db,
        plant.clock,
        plant.factory,
        NewChain("Off", [], reminder_every_minutes=5, is_active=False),
        user_id=plant.people["anna"],
        chain_id=1,
    )
    assert plant.after(30) == []
    assert alerts(plant.db)[0].next_step_at is None


def test_while_a_silence_holds_nobody_is_told_escalated_to_or_reminded(plant: Plant) -> None:
    plant.chain((0, "anna"), (10, "bert"))
    plant.alert()
    asked = NewSilence("new spindle", plant.clock.now(), plant.clock.now() + timedelta(hours=1))
    silence(plant.db, plant.clock, plant.factory, asked, user_id=plant.people["anna"])
    assert plant.after(30) == []
    assert plant.after(30) == [("escalation", "bert")]


def test_when_a_silence_ends_people_are_told_of_what_still_stands(plant: Plant) -> None:
    asked = NewSilence("new spindle", plant.clock.now(), plant.clock.now() + timedelta(hours=1))
    quiet = silence(plant.db, plant.clock, plant.factory, asked, user_id=plant.people["anna"])
    plant.alert()
    other = plant.alert(add_device(plant.db, plant.factory, "M02"))
    resolve(plant.db, plant.clock, plant.factory, other, user_id=plant.people["anna"])
    assert plant.after(30) == []
    end_silence(plant.db, plant.clock, plant.factory, quiet.id, user_id=plant.people["anna"])
    assert plant.after(0) == [("alert", "anna"), ("alert", "bert"), ("alert", "cleo")]
    assert [alert.is_silenced for alert in alerts(plant.db)] == [False, True]
    assert notifications(plant.db)[0].body.startswith("A silence held this alert back; it is still active.")


def test_low_severities_come_together(sqlite_database: Database, manual_clock: ManualClock) -> None:
    manual_clock.set(START)
    plant = Plant(sqlite_database, manual_clock, severity="medium")
    plant.wish("anna", digest_up_to="medium", digest_every_minutes=30)
    for name in ("bert", "cleo"):
        plant.wish(name, is_on=False)
    first = plant.alert()
    plant.clock.advance(timedelta(minutes=10))
    plant.alert(add_device(plant.db, plant.factory, "M02", name=None))
    resolve(plant.db, plant.clock, plant.factory, first, user_id=plant.people["bert"])
    assert [row.status for row in notifications(plant.db)] == ["held", "held"]
    assert plant.after(19) == []
    assert plant.after(1) == [("digest", "anna")]
    *told, digest = notifications(plant.db)
    assert [(row.status, row.digest_id) for row in told] == [("digested", digest.id)] * 2
    assert digest.subject == "FactoryOps Alerts - 2 alerts: 2 medium"
    assert "Spindle Overheat, CNC Mill - Station A (M01), 2026-01-05T08:00:00Z (resolved)" in digest.body
    assert "Spindle Overheat, M02, 2026-01-05T08:10:00Z\n" in digest.body
    assert "http://factory.example/alerts?id=2" in (digest.body_html or "")
    assert outbox(plant.db, plant.clock, Postman()).send_next() == "sent"
    assert is_sent(plant.db, first)


def test_who_has_left_gets_no_digest(sqlite_database: Database, manual_clock: ManualClock) -> None:
    manual_clock.set(START)
    plant = Plant(sqlite_database, manual_clock, severity="low")
    for name in plant.people:
        plant.wish(name, digest_up_to="low", digest_every_minutes=30)
    plant.alert()
    with system_session(plant.db, "test") as session:
        session.get_one(User, plant.people["anna"]).is_active = False
    assert plant.after(30) == [("digest", "bert"), ("digest", "cleo")]
    assert notifications(plant.db)[0].status == "skipped"


def test_outside_their_hours_people_are_told_of_critical_alerts_only(sqlite_database: Database, manual_clock: ManualClock) -> None:
    """START is a Monday, 15:00 in Vietnam: after the end of Anna's early shift, which begins at 06:00 there."""
    manual_clock.set(START)
    hours = {"start_time": "06:00", "end_time": "14:00", "days": [1, 2, 3, 4, 5]}
    found = {}
    for severity in ("high", "critical"):
        plant = Plant(sqlite_database, manual_clock, timezone="Asia/Ho_Chi_Minh", severity=severity)
        plant.wish("anna", hours=hours)
        for name in ("bert", "cleo"):
            plant.wish(name, is_on=False)
        plant.alert()
        row = notifications(plant.db)[-1]
        found[severity] = (row.status, row.next_attempt_at)
    assert found == {"high": ("held", datetime(2026, 1, 5, 23, 0, tzinfo=UTC)), "critical": ("pending", START)}
    manual_clock.set(datetime(2026, 1, 5, 23, 0, tzinfo=UTC))
    FollowUp(sqlite_database, manual_clock, "").run()
    assert notifications(sqlite_database)[-1].kind == "digest"


def test_who_wants_only_severe_alerts_or_none_on_a_channel_gets_no_others(sqlite_database: Database, manual_clock: ManualClock) -> None:
    manual_clock.set(START)
    plant = Plant(sqlite_database, manual_clock, severity="medium")
    plant.wish("anna", least_severity="high")
    plant.wish("bert", is_on=False)
    plant.alert()
    assert plant.told() == [("alert", "cleo")]


def test_who_is_on_duty_is_told_whatever_they_prefer(plant: Plant) -> None:
    plant.chain((10, "bert"))
    plant.wish("bert", is_on=False, least_severity="critical", hours={"start_time": "03:00", "end_time": "04:00"})
    plant.alert()
    assert ("alert", "bert") not in plant.told()
    assert plant.after(10) == [("escalation", "bert")]


def test_who_wants_no_all_clear_gets_none(plant: Plant) -> None:
    plant.wish("bert", wants_all_clear=False)
    alert = plant.alert()
    resolve(plant.db, plant.clock, plant.factory, alert, user_id=plant.people["anna"])
    assert plant.told()[3:] == [("all_clear", "cleo")]
