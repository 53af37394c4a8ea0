"""Who was let in is remembered for a second, and never past its end in this process."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from tests.fixtures.people import PASSWORD, Person
from warehouse.access.remembered import REMEMBERED_S, RememberedIdentities
from warehouse.access.sessions import Identity, OpenedSession, check_session, revoke_session
from warehouse.access.sign_in import sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.people import Factory, User, UserSession
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session


class Wall:
    """Asks as the API does, and counts how often the database was asked."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock, person: Person) -> None:
        self.db, self.settings, self.clock, self.person = db, settings, clock, person
        self.remembered = RememberedIdentities(db, clock)
        self.asked = 0
        asked = {"factory_id": person.factory_id, "email": person.email, "password": PASSWORD}
        self.opened: OpenedSession = sign_in(db, settings, clock, **asked)

    def who(self) -> Identity | None:
        return self.remembered.found(self.opened.token) or self.remembered.look_up(self.opened.token, self._ask)

    def _ask(self) -> Identity | None:
        self.asked += 1
        return check_session(self.db, self.settings, self.clock, self.opened.token)


@pytest.fixture
def wall(database: Database, settings: Settings, manual_clock: ManualClock, two_people: tuple[Person, Person]) -> Wall:
    return Wall(database, settings, manual_clock, two_people[0])


def test_the_database_is_asked_once_a_second(wall: Wall) -> None:
    assert [wall.who() for _ in range(20)] == [wall.opened.identity] * 20
    assert wall.asked == 1
    wall.clock.advance(timedelta(seconds=REMEMBERED_S))
    assert wall.who() == wall.opened.identity
    assert wall.asked == 2


def test_what_this_process_ends_is_ended_for_the_next_request(wall: Wall) -> None:
    assert wall.who()
    revoke_session(wall.db, wall.clock, wall.opened.identity.session_id)
    assert wall.who() is None


def test_a_change_of_the_person_counts_at_once(wall: Wall) -> None:
    assert wall.who()
    with tenant_session(wall.db, wall.person.factory_id) as session:
        session.get_one(User, wall.person.user_id).role = "viewer"
    found = wall.who()
    assert found is not None
    assert found.role == "viewer"
    with tenant_session(wall.db, wall.person.factory_id) as session:
        session.get_one(User, wall.person.user_id).is_active = False
    assert wall.who() is None


def test_so_does_one_statement_over_many_rows(wall: Wall) -> None:
    assert wall.who()
    with system_session(wall.db, "end all sign-ins", write=True) as session:
        session.execute(delete(UserSession))
    assert wall.who() is None


def test_a_change_that_is_rolled_back_and_reading_ask_for_nothing(wall: Wall) -> None:
    before = wall.db.access_version
    with pytest.raises(LookupError), tenant_session(wall.db, wall.person.factory_id) as session:
        session.get_one(User, wall.person.user_id).role = "viewer"
        session.flush()
        raise LookupError
    with system_session(wall.db, "read only") as session:
        session.get(Factory, wall.person.factory_id)
    assert wall.db.access_version is before


def test_what_another_process_ends_is_ended_within_a_second(wall: Wall) -> None:
    assert wall.who()
    elsewhere = Database(wall.db.url)
    revoke_session(elsewhere, wall.clock, wall.opened.identity.session_id)
    elsewhere.dispose()
    wall.clock.advance(timedelta(seconds=REMEMBERED_S))
    assert wall.who() is None


def test_a_sign_in_ends_when_its_time_is_over_and_a_clock_that_is_set_back_makes_all_old(wall: Wall) -> None:
    wall.clock.advance(wall.opened.identity.expires_at - wall.clock.now() - timedelta(milliseconds=1))
    wall.remembered.look_up(wall.opened.token, lambda: wall.opened.identity)
    assert wall.remembered.found(wall.opened.token)
    wall.clock.advance(timedelta(milliseconds=1))
    assert wall.remembered.found(wall.opened.token) is None
    wall.remembered.look_up(wall.opened.token, lambda: wall.opened.identity)
    wall.clock.advance(-timedelta(hours=1))
    assert wall.remembered.found(wall.opened.token) is None


def test_memory_has_an_end(wall: Wall) -> None:
    small = RememberedIdentities(wall.db, wall.clock, most=2)
    for number in range(5):
        small.look_up(str(number), lambda: wall.opened.identity)
    assert sum(small.found(str(number)) is not None for number in range(5)) <= 2
