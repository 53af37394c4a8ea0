"""One active alert a rule and machine: repeats, the end of the condition, silences. On SQLite and on PostgreSQL.

engine    fired      fired     cleared    fired                  cleared, of a rule that resolves by itself
alert     new, told  repeat 1  cleared    repeat 2, not cleared  resolved, all-clear
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from rules.alerts import resolve
from rules.engine import Raised, Rule
from rules.recording import Found, Over, record
from rules.schedule import microseconds
from rules.silences import NewSilence, change_silence, end_silence, silence
from rules.store import compiled_rule
from tests.rules.installation import (
    HOT,
    START,
    add_device,
    add_factory,
    add_rule,
    add_user,
    alerts,
    evaluator,
    land,
    notifications,
    raises,
    readings,
)
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.housekeeping import delete_old_raises
from warehouse.models import alerting
from warehouse.models.alerting import AlertEvent
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shifts import FactoryClock
from warehouse.tenancy import system_session


@dataclass
class Line:
    """A rule on a machine, and a person who is told; seconds after START in, what is recorded out."""

    db: Database
    clock: ManualClock
    factory: int
    device: int
    rule: Rule
    person: int

    def fires(self, *seconds: float, over: Mapping[float, bool] | None = None) -> int:
        """Records, in one transaction, alerts at these moments and ends of the condition (True: the rule resolves by itself)."""
        found = [Found(Raised(self.rule, self.device, self._us(at), {"spindle_temp": 85.0}), {"spindle_temp": 85.0}) for at in seconds]
        ended = [Over(self.rule, self.device, self._us(at), resolves) for at, resolves in (over or {}).items()]
        with system_session(self.db, "test", write=True) as session:
            return record(session, found, self.clock.now(), "http://factory.example", ended)

    def history(self) -> list[str]:
        with system_session(self.db, "test") as session:
            return list(session.scalars(select(AlertEvent.kind).order_by(AlertEvent.id)))

    def _us(self, at: float) -> int:
        return microseconds(START + timedelta(seconds=at))


def line_of(db: Database, clock: ManualClock, **columns: Any) -> Line:
    factory = add_factory(db)
    device = add_device(db, factory)
    rule_id, person = add_rule(db, factory, **columns), add_user(db, factory, "anna@plant.example")
    with system_session(db, "test") as session:
        row = session.get_one(alerting.Rule, rule_id)
    return Line(db, clock, factory, device, compiled_rule(row, FactoryClock("UTC"), None), person)


@pytest.fixture
def line(database: Database, manual_clock: ManualClock) -> Line:
    manual_clock.set(START)
    return line_of(database, manual_clock)


def test_while_an_alert_is_active_its_rule_only_counts_repeats(line: Line) -> None:
    line.fires(0)
    line.fires(900, 1800)
    (alert,) = alerts(line.db)
    assert (alert.triggered_at, alert.repeat_count, alert.last_raised_at) == (START, 2, START + timedelta(seconds=1800))
    assert [row.kind for row in notifications(line.db)] == ["alert"]


def test_the_same_moment_is_recorded_once_however_often_it_is_evaluated(line: Line) -> None:
    assert [line.fires(0, 900), line.fires(0, 900), line.fires(900)] == [2, 0, 0]
    (alert,) = alerts(line.db)
    assert (alert.repeat_count, len(raises(line.db))) == (1, 2)


def test_after_it_was_resolved_the_next_one_is_new(line: Line) -> None:
    line.fires(0)
    resolve(line.db, line.clock, line.factory, alerts(line.db)[0].id, user_id=line.person)
    line.fires(900)
    assert [alert.repeat_count for alert in alerts(line.db)] == [0, 0]
    # The one who resolved it needs no message that it is resolved.
    assert [row.kind for row in notifications(line.db)] == ["alert", "alert"]


def test_the_end_of_the_condition_is_noted_and_a_person_resolves(line: Line) -> None:
    line.fires(0)
    line.fires(over={60: False})
    (alert,) = alerts(line.db)
    assert (alert.cleared_at, alert.resolved_at) == (START + timedelta(seconds=60), None)
    line.fires(900)
    (alert,) = alerts(line.db)
    assert (alert.cleared_at, alert.repeat_count) == (None, 1)
    assert line.history() == ["triggered", "cleared", "repeated"]


def test_a_rule_that_resolves_by_itself_gives_the_all_clear_to_those_who_were_told(line: Line) -> None:
    line.fires(0)
    line.fires(over={60: True})
    (alert,) = alerts(line.db)
    assert (alert.resolved_at, alert.resolved_by, alert.is_resolved_automatically) == (START, None, True)
    first, last = notifications(line.db)
    assert (last.kind, last.recipient, last.status) == ("all_clear", first.recipient, "pending")
    assert last.subject == "[RESOLVED] [CRITICAL] FactoryOps Alert - Spindle Overheat"
    assert last.body.startswith("All clear: the condition does not hold any more.")
    assert line.history() == ["triggered", "resolved"]


def test_everything_in_one_batch_goes_in_order_of_device_time(line: Line) -> None:
    line.fires(0, 120, over={60: True})
    first, second = alerts(line.db)
    assert (first.is_resolved_automatically, second.resolved_at) == (True, None)


def test_an_end_that_is_older_than_the_newest_trigger_ends_nothing(line: Line) -> None:
    line.fires(0, 120)
    line.fires(over={60: True})
    assert alerts(line.db)[0].cleared_at is None


def test_who_resolves_tells_the_others_who_were_told(line: Line) -> None:
    add_user(line.db, line.factory, "bert@plant.example")
    line.fires(0)
    resolve(line.db, line.clock, line.factory, alerts(line.db)[0].id, user_id=line.person, app_url="http://factory.example")
    assert [(row.kind, row.recipient) for row in notifications(line.db)] == [
        ("alert", "anna@plant.example"), ("alert", "bert@plant.example"), ("all_clear", "bert@plant.example"),
    ]  # fmt: skip
    assert notifications(line.db)[-1].body.startswith("Resolved by anna@plant.example.")


def covered(line: Line) -> dict[str, dict[str, Any]]:
    return {
        "device": {"device_id": line.device},
        "rule": {"rule_id": line.rule.rule_id},
        "region": {"region": "Hall 1"},
        "factory": {},
        "all of them": {"device_id": line.device, "rule_id": line.rule.rule_id, "region": "Hall 1"},
    }


@pytest.mark.parametrize("what", ["device", "rule", "region", "factory", "all of them"])
def test_a_silence_holds_messages_back_and_the_alert_is_recorded(sqlite_database: Database, manual_clock: ManualClock, what: str) -> None:
    manual_clock.set(START)
    line = line_of(sqlite_database, manual_clock)
    with system_session(line.db, "test") as session:
        session.execute(update(Device).values(region="Hall 1"))
    asked = NewSilence("new spindle", START, START + timedelta(hours=1), **covered(line)[what])
    quiet = silence(line.db, line.clock, line.factory, asked, user_id=line.person)
    line.fires(0)
    (alert,) = alerts(line.db)
    assert (alert.is_silenced, alert.silence_id, alert.next_step_at) == (True, quiet.id, quiet.ends_at)
    assert notifications(line.db) == []
    assert line.history() == ["triggered", "silenced"]


def test_a_silence_of_something_else_holds_nothing_back(line: Line) -> None:
    other = add_device(line.db, line.factory, "M02")
    ends = START + timedelta(hours=1)
    silence(line.db, line.clock, line.factory, NewSilence("another", START, ends, device_id=other), user_id=line.person)
    later = NewSilence("later", START + timedelta(minutes=30), ends)
    silence(line.db, line.clock, line.factory, later, user_id=line.person)
    line.fires(0)
    assert (alerts(line.db)[0].is_silenced, len(notifications(line.db))) == (False, 1)


def test_a_maintenance_window_by_schedule_holds_only_inside_its_hours(sqlite_database: Database, manual_clock: ManualClock) -> None:
    """Every Monday 15:00-17:00 in Vietnam; START is a Monday, 15:00 there."""
    manual_clock.set(START)
    line = line_of(sqlite_database, manual_clock)
    with system_session(line.db, "test") as session:
        session.execute(update(Factory).values(timezone="Asia/Ho_Chi_Minh"))
    window = {"start_time": "15:00", "end_time": "17:00", "days": [1]}
    asked = NewSilence("cleaning", START - timedelta(days=7), START + timedelta(days=300), schedule=window)
    silence(line.db, line.clock, line.factory, asked, user_id=line.person)
    assert START.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%a %H:%M") == "Mon 15:00"
    silenced = []
    for hours in (0, 1.9, 2, 24):
        line.clock.set(START + timedelta(hours=hours))
        line.fires(hours * 3600)
        alert = alerts(line.db)[-1]
        silenced.append(alert.is_silenced)
        resolve(line.db, line.clock, line.factory, alert.id, user_id=line.person)
    assert silenced == [True, True, False, False]


def test_a_silence_that_is_narrowed_lets_alerts_be_looked_at_that_it_does_not_cover_any_more(line: Line) -> None:
    other = add_device(line.db, line.factory, "M02")
    asked = NewSilence("whole factory", START, START + timedelta(hours=2))
    quiet = silence(line.db, line.clock, line.factory, asked, user_id=line.person)
    line.fires(0)
    narrowed = NewSilence("one machine", START, START + timedelta(hours=3), device_id=other)
    changed = change_silence(line.db, line.clock, line.factory, quiet.id, narrowed, user_id=line.person)
    assert (changed.device_id, changed.ends_at) == (other, START + timedelta(hours=3))
    assert alerts(line.db)[0].next_step_at == line.clock.now()


def test_a_silence_that_is_ended_early_lets_its_alerts_be_looked_at_at_once(line: Line) -> None:
    asked = NewSilence("new spindle", START - timedelta(minutes=1), START + timedelta(hours=1))
    quiet = silence(line.db, line.clock, line.factory, asked, user_id=line.person)
    line.fires(0)
    line.clock.advance(timedelta(minutes=1))
    end_silence(line.db, line.clock, line.factory, quiet.id, user_id=line.person)
    assert alerts(line.db)[0].next_step_at == line.clock.now()


def test_from_readings_to_the_all_clear(sqlite_database: Database, manual_clock: ManualClock) -> None:
    """temperature 85 70, of a rule that resolves by itself: one alert, one mail, and the mail that says that it is over."""
    manual_clock.set(START)
    line = line_of(sqlite_database, manual_clock, conditions={"when": HOT, "auto_resolve": True})
    running = evaluator(line.db, line.clock)
    for second, value in ((0, 85), (1, 70)):
        land(line.db, readings(line.factory, line.device, [(second, {"spindle_temp": value})]))
        running.step()
    (alert,) = alerts(line.db)
    assert (alert.is_resolved_automatically, alert.cleared_at) == (True, START + timedelta(seconds=1))
    assert [row.kind for row in notifications(line.db)] == ["alert", "all_clear"]


def test_moments_of_long_ago_are_forgotten_and_their_alert_stays(sqlite_database: Database, manual_clock: ManualClock) -> None:
    manual_clock.set(START)
    line = line_of(sqlite_database, manual_clock)
    line.fires(0, 900)
    assert delete_old_raises(line.db, START + timedelta(seconds=900)) == 1
    assert [one.raised_at for one in raises(line.db)] == [START + timedelta(seconds=900)]
    assert [alert.repeat_count for alert in alerts(line.db)] == [1]
