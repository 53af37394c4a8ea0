"""Visits: when the one before ended, and what changed since."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.two_plants import TwoPlants
from warehouse.access.audit import Actor, append
from warehouse.clock import ManualClock
from warehouse.models.alerting import Alert
from warehouse.queries.changes import changes_since, scores_at
from warehouse.queries.rules import rule_list
from warehouse.tenancy import tenant_session
from warehouse.visits import next_visit, note_visit, set_sound, visit_of

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("away", "before", "expected"),
    [(5, None, None), (29, 600, 600), (30, None, 30), (600, 2000, 600)],
)
def test_a_visit_is_over_after_half_an_hour_without_a_page(away: int, before: int | None, expected: int | None) -> None:
    ended = None if before is None else NOW - before * MINUTE
    assert next_visit(NOW - away * MINUTE, ended, NOW) == (None if expected is None else NOW - expected * MINUTE, NOW)


def test_the_visit_before_is_remembered_while_this_one_lasts(two_plants: TwoPlants) -> None:
    inst, who = two_plants.installation, two_plants.north.person
    clock = ManualClock(NOW)
    assert note_visit(inst.db, clock, who.factory_id, who.user_id).before_at is None
    clock.advance(timedelta(hours=9))
    assert note_visit(inst.db, clock, who.factory_id, who.user_id).before_at == NOW
    clock.advance(10 * MINUTE)
    again = note_visit(inst.db, clock, who.factory_id, who.user_id)
    assert (again.before_at, again.seen_at) == (NOW, clock.now())
    set_sound(inst.db, clock, who.factory_id, who.user_id, is_wanted=True)
    found = visit_of(inst.db, who.factory_id, who.user_id)
    assert found is not None
    assert found.wants_sound
    other = two_plants.south.person
    assert visit_of(inst.db, other.factory_id, who.user_id) is None


def test_changes_are_those_of_ones_own_factory_since_the_moment(two_plants: TwoPlants) -> None:
    inst, north, south = two_plants.installation, two_plants.north, two_plants.south
    now = inst.clock.now()
    for plant in (north, south):
        with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
            rule_id = session.get_one(Alert, plant.alerts[0]).rule_id
            device_id = plant.devices[plant.hot]
            fresh = Alert(rule_id=rule_id, device_id=device_id, severity="high", triggered_at=now - timedelta(days=1), created_at=now)
            session.add(fresh)
            actor = Actor(plant.person.factory_id, plant.person.user_id)
            append(session, "rule.change", f"rule:{rule_id}", now, actor, after={"name": f"{plant.prefix} rule"})
            append(session, "rule.toggle", f"rule:{rule_id + 100}", now, actor, after={"is_active": False})
    found = changes_since(inst.db, north.person.factory_id, now - MINUTE)
    assert found.raised["high"] == 1
    assert [(one.name, one.word, one.by) for one in found.rules if one.name] == [("NOR rule", "changed", "Chief of North")]
    assert [one.word for one in found.rules if not one.name] == ["switched off"]
    later = changes_since(inst.db, north.person.factory_id, now + MINUTE)
    assert (sum(later.raised.values()), later.resolved, later.rules) == (0, 0, ())


def test_scores_are_the_newest_of_the_hours_before(two_plants: TwoPlants) -> None:
    inst, north = two_plants.installation, two_plants.north
    factory_id, device = north.person.factory_id, north.devices["NOR-01"]
    with inst.lake.writer() as cursor:
        for hours, score in ((1, 90.0), (2, 70.0), (8, 10.0)):
            for device_id in (None, device):
                cursor.execute(
                    "INSERT INTO lake.health_scores VALUES (?, ?, ?, ?, '{}')", [factory_id, device_id, NOW - timedelta(hours=hours), score]
                )
    assert scores_at(inst.lake, factory_id, NOW) == {None: 90, device: 90}
    assert scores_at(inst.lake, factory_id, NOW - timedelta(hours=1, minutes=30)) == {None: 70, device: 70}
    assert scores_at(inst.lake, factory_id, NOW - timedelta(hours=20)) == {}
    assert scores_at(inst.lake, two_plants.south.person.factory_id, NOW) == {}


def test_the_list_of_rules_counts_alerts_of_the_week_and_knows_the_newest(two_plants: TwoPlants) -> None:
    inst, north = two_plants.installation, two_plants.north
    now = inst.clock.now()
    with tenant_session(inst.db, north.person.factory_id, write=True) as session:
        old = session.get_one(Alert, north.alerts[0])
        old.last_raised_at = now - MINUTE
        session.add(
            Alert(rule_id=old.rule_id, device_id=old.device_id, severity="critical", triggered_at=now - timedelta(days=8), resolved_at=now)
        )
    (row,) = rule_list(inst.db, north.person.factory_id, now)
    assert (row.fired_this_week, row.active_alerts, row.last_fired) == (2, 1, now - MINUTE)
