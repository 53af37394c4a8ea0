"""The chain of the audit trail: what is done to it shows, and the databases do not let it be done."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from tests.fixtures.people import Person, add_person
from tests.fixtures.warehouse import A_MONDAY
from warehouse.access import audit, audit_trail
from warehouse.access.audit_trail import Wanted
from warehouse.access.chain import START, chained_hash
from warehouse.access.origin import note_address
from warehouse.db import Database
from warehouse.tenancy import tenant_session


def written(db: Database, *people: Person) -> tuple[Database, int]:
    """Five events of the first person's factory, and some of the others' between them."""
    for number in range(1, 6):
        for person in people:
            with tenant_session(db, person.factory_id, write=True) as session:
                actor = audit.Actor(person.factory_id, person.user_id, "10.0.0.7")
                moment = A_MONDAY + timedelta(minutes=number, microseconds=number)
                audit.append(session, "rule.update", f"rule:{number}", moment, actor, reason="=why", before={"t": 1.5}, after={"n": "ü"})
    return db, people[0].factory_id


@pytest.fixture
def trail(database: Database, two_people: tuple[Person, Person]) -> tuple[Database, int]:
    return written(database, *two_people)


@pytest.fixture
def one_trail(one_database: Database, password_hash: str) -> tuple[Database, int]:
    return written(one_database, *(add_person(one_database, password_hash, slug) for slug in ("north", "south")))


def attack(db: Database, *statements: str) -> None:
    """Changes rows the way somebody with all rights would: without the triggers."""
    with db.engine.begin() as connection:
        if db.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER audit_events_no_update")
            connection.exec_driver_sql("DROP TRIGGER audit_events_no_delete")
        else:
            connection.exec_driver_sql("SELECT set_config('factoryops.system', 'on', true)")
            connection.exec_driver_sql("ALTER TABLE audit_events DISABLE TRIGGER audit_events_closed")
            connection.exec_driver_sql("GRANT UPDATE, DELETE ON audit_events TO CURRENT_USER")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount


def test_a_trail_that_nobody_touched_is_whole(trail: tuple[Database, int]) -> None:
    db, factory_id = trail
    found = audit_trail.verify(db, factory_id)
    assert (found.is_whole, found.events, found.problems) == (True, 5, ())
    assert audit_trail.verify(db, factory_id, found.head).is_whole
    assert not audit_trail.verify(db, factory_id, "f" * 64).is_whole


MINE = "factory_id = 1 AND position"
SWAP = (
    f"UPDATE audit_events SET position = 99 WHERE {MINE} = 2",
    f"UPDATE audit_events SET position = 2 WHERE {MINE} = 3",
    f"UPDATE audit_events SET position = 3 WHERE {MINE} = 99",
)
ATTACKS = {
    "edited": (f"UPDATE audit_events SET target = 'rule:9' WHERE {MINE} = 3",),
    "who": (f"UPDATE audit_events SET user_id = NULL WHERE {MINE} = 3",),
    "when": (f"UPDATE audit_events SET happened_at = '2026-01-05 08:03:00.000004' WHERE {MINE} = 3",),
    "before": (f"UPDATE audit_events SET before = '{{\"t\": 1.6}}' WHERE {MINE} = 1",),
    "removed": (f"DELETE FROM audit_events WHERE {MINE} = 3",),
    "first removed": (f"DELETE FROM audit_events WHERE {MINE} = 1",),
    "end removed": (f"DELETE FROM audit_events WHERE {MINE} >= 4",),
    "all removed": (f"DELETE FROM audit_events WHERE {MINE} >= 1",),
    "reordered": SWAP,
    "end removed with its head": (f"DELETE FROM audit_events WHERE {MINE} = 5", "DELETE FROM audit_heads WHERE factory_id = 1"),
}


@pytest.mark.parametrize("statements", ATTACKS.values(), ids=ATTACKS)
def test_whatever_is_done_to_the_trail_shows(one_trail: tuple[Database, int], statements: tuple[str, ...]) -> None:
    db, factory_id = one_trail
    attack(db, *statements)
    assert audit_trail.verify(db, factory_id).problems
    assert audit_trail.verify(db, factory_id + 1).is_whole


def test_a_trail_that_was_made_anew_is_found_with_a_head_that_was_noted_elsewhere(one_trail: tuple[Database, int]) -> None:
    db, factory_id = one_trail
    noted = audit_trail.verify(db, factory_id).head
    attack(db, f"DELETE FROM audit_events WHERE {MINE} >= 1", "DELETE FROM audit_heads WHERE factory_id = 1")
    with tenant_session(db, factory_id, write=True) as session:
        audit.append(session, "rule.update", "rule:1", A_MONDAY, audit.Actor(factory_id))
    assert audit_trail.verify(db, factory_id).is_whole
    assert not audit_trail.verify(db, factory_id, noted).is_whole


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET target = 'x'", "DELETE FROM audit_events"])
def test_the_database_refuses_changes(trail: tuple[Database, int], statement: str) -> None:
    db, factory_id = trail
    with pytest.raises(DBAPIError, match=r"only ever added|permission denied"), db.engine.begin() as connection:
        if not db.is_sqlite:
            connection.exec_driver_sql("SELECT set_config('factoryops.system', 'on', true)")
        connection.exec_driver_sql(statement)
    assert audit_trail.verify(db, factory_id).events == 5


def test_postgresql_forbids_changes_by_rights_and_by_trigger(postgresql_database: Database) -> None:
    with postgresql_database.engine.connect() as connection:
        rights = "SELECT has_table_privilege(current_user, 'audit_events', %s)"
        found = [
            connection.exec_driver_sql(rights, (right,)).scalar_one() for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
        ]
    assert found == [True, True, False, False, False]


def test_a_change_that_is_undone_leaves_no_trace(one_trail: tuple[Database, int]) -> None:
    db, factory_id = one_trail
    with pytest.raises(RuntimeError, match="no"), tenant_session(db, factory_id, write=True) as session:
        audit.append(session, "rule.update", "rule:1", A_MONDAY, audit.Actor(factory_id))
        raise RuntimeError("no")
    assert audit_trail.verify(db, factory_id).events == 5


def test_the_address_of_the_request_is_noted_where_the_caller_names_none(one_trail: tuple[Database, int]) -> None:
    db, factory_id = one_trail
    note_address("192.0.2.9")
    try:
        with tenant_session(db, factory_id, write=True) as session:
            audit.append(session, "rule.update", "rule:1", A_MONDAY, audit.Actor(factory_id))
    finally:
        note_address(None)
    [newest], total = audit_trail.page_of(db, factory_id, Wanted(), 1, 0)
    assert (newest.row.address, total) == ("192.0.2.9", 6)


def test_the_chain_can_be_checked_from_the_export_alone(trail: tuple[Database, int]) -> None:
    db, factory_id = trail
    previous = START
    for line in audit_trail.as_json_lines(audit_trail.events_of(db, factory_id)):
        event = json.loads(line)
        event["happened_at"] = datetime.fromisoformat(event["happened_at"])
        previous = chained_hash(previous, event)
        assert previous == event["hash"]
    assert previous == audit_trail.verify(db, factory_id).head


def test_csv_has_a_heading_and_runs_nothing_in_a_spreadsheet(one_trail: tuple[Database, int]) -> None:
    lines = list(audit_trail.as_csv(audit_trail.events_of(*one_trail)))
    assert lines[0].startswith("position,happened_at,user_id,user_email,address,action")
    assert len(lines) == 6
    assert ",'=why," in lines[1]
    assert "chief@north.example,10.0.0.7,rule.update,rule:1" in lines[1]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 5),
        (Wanted(start=A_MONDAY + timedelta(minutes=3)), 3),
        (Wanted(end=A_MONDAY + timedelta(minutes=3)), 2),
        (Wanted(action="rule."), 5),
        (Wanted(action="alert."), 0),
        (Wanted(action="%"), 0),
        (Wanted(target="rule:2"), 1),
        (Wanted(user_id=999), 0),
    ],
)
def test_events_are_found_by_time_person_action_and_target(one_trail: tuple[Database, int], wanted: Wanted, count: int) -> None:
    db, factory_id = one_trail
    assert audit_trail.page_of(db, factory_id, wanted, 10, 0)[1] == count
