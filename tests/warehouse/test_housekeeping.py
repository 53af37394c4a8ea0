"""The operational database stays small, and nothing is deleted that somebody still needs."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.fixtures.people import Person, add_person
from tests.warehouse.frames import at
from warehouse import housekeeping, landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import LakeBusyError
from warehouse.housekeeping import delete_ended_sessions, trim_landing
from warehouse.lake import Lake
from warehouse.models.people import UserSession
from warehouse.models.streams import DeadLetter
from warehouse.readings import empty_readings
from warehouse.tenancy import system_session


def land(db: Database, clock: ManualClock, batches: int) -> None:
    with system_session(db, "test", write=True) as session:
        for _ in range(batches):
            landing.append(session, empty_readings(), 0, clock.now())


def test_only_batches_that_all_have_passed_are_deleted(one_database: Database, lake: Lake, manual_clock: ManualClock) -> None:
    land(one_database, manual_clock, 5)
    with system_session(one_database, "test", write=True) as session:
        landing.move_cursor(session, "rules", 0, 4)
    lake.append(empty_readings(), loader=("main", 3))
    later = manual_clock.now() + timedelta(hours=1)
    assert trim_landing(one_database, lake, later, ["rules"], "main") == 3
    assert trim_landing(one_database, lake, later, ["rules"], "main") == 0


def test_young_batches_stay(one_database: Database, lake: Lake, manual_clock: ManualClock) -> None:
    land(one_database, manual_clock, 2)
    lake.append(empty_readings(), loader=("main", 2))
    assert trim_landing(one_database, lake, manual_clock.now(), [], "main") == 0


@pytest.mark.embedded
def test_nothing_is_deleted_while_the_lake_is_away(one_database: Database, lake: Lake, manual_clock: ManualClock) -> None:
    land(one_database, manual_clock, 2)
    lake.append(empty_readings(), loader=("main", 2))
    lake.close()
    lake._catalog_path.parent.rename(lake._catalog_path.parent.with_name("away"))
    with pytest.raises(LakeBusyError):
        trim_landing(one_database, lake, manual_clock.now() + timedelta(hours=1), [], "main")
    with system_session(one_database, "test") as session:
        assert len(landing.read_after(session, 0)) == 2


def test_sign_ins_that_ended_a_day_ago_are_deleted(database: Database, password_hash: str, manual_clock: ManualClock) -> None:
    person: Person = add_person(database, password_hash, "north")
    now = manual_clock.now()
    with system_session(database, "test", write=True) as session:
        for name, ended in {"old": timedelta(days=2), "young": timedelta(hours=1), "live": -timedelta(hours=1)}.items():
            session.add(UserSession(id=name, factory_id=person.factory_id, user_id=person.user_id, expires_at=now - ended))
    assert delete_ended_sessions(database, now) == 1
    assert delete_ended_sessions(database, now) == 0


def test_old_dead_letters_go_and_of_the_others_the_newest_stay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "MOST_DEAD_LETTERS", 3)
    with system_session(database, "set up a test", write=True) as session:
        for second in (-100, 0, 1, 2, 3):
            session.add(DeadLetter(reason="x", detail=str(second), topic="t", payload=b"", payload_size=0, received_at=at(second)))
            session.flush()
    assert housekeeping.delete_dead_letters(database, at(-50)) == 2
    with system_session(database, "read in a test") as session:
        assert session.scalars(select(DeadLetter.detail).order_by(DeadLetter.id)).all() == ["1", "2", "3"]
    assert housekeeping.delete_dead_letters(database, at(2.5)) == 2
