"""Invitations, rights and deactivation."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.fixtures.people import PASSWORD, Person
from warehouse.access import api_keys, people
from warehouse.access.password_rules import PasswordRefusedError
from warehouse.access.people import InvitationRefusedError, NotAllowedError, Wanted
from warehouse.access.rights import status_of
from warehouse.access.sessions import Identity, check_session
from warehouse.access.sign_in import SignInRefusedError, sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.people import AuditEvent, User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

NEW = "four odd horses run"


class House:
    """People of factory north and what they do to each other, on SQLite."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock, two: tuple[Person, Person]) -> None:
        self.db, self.settings, self.clock, (self.chief, self.stranger) = db, settings, clock, two

    def enter(self, person: Person, **changed: object) -> Identity:
        with tenant_session(self.db, person.factory_id) as session:
            row = session.get_one(User, person.user_id)
            for name, value in changed.items():
                setattr(row, name, value)
        asked = {"factory_id": person.factory_id, "email": person.email, "password": PASSWORD}
        return sign_in(self.db, self.settings, self.clock, **asked).identity

    def invite(self, by: Identity, email: str = "new@north.example", **wanted: object) -> people.Invitation:
        return people.invite(self.db, self.settings, self.clock, by, Wanted(email, **wanted))

    def accept(self, token: str, password: str = NEW) -> people.OpenedSession:
        return people.accept_invitation(self.db, self.settings, self.clock, token, password)


@pytest.fixture
def house(one_database: Database, settings: Settings, manual_clock: ManualClock, password_hash: str) -> House:
    from tests.fixtures.people import add_person

    two = add_person(one_database, password_hash, "north"), add_person(one_database, password_hash, "south")
    return House(one_database, settings, manual_clock, two)


@pytest.fixture
def boss(house: House) -> Identity:
    return house.enter(house.chief, role="super_admin")


def test_an_invitation_gives_an_account_with_the_rights_that_were_meant(house: House, boss: Identity) -> None:
    made = house.invite(boss, "  New@North.example ", permissions={"create_rules": True}, name="Linh")
    assert (made.user.email, status_of(made.user)) == ("new@north.example", "invited")
    opened = house.accept(made.token)
    assert (opened.identity.factory_id, opened.identity.role, opened.identity.permissions) == (boss.factory_id, "admin", {"create_rules"})
    found = {user.email: status_of(user) for user in people.people(house.db, boss.factory_id)}
    assert found == {"chief@north.example": "active", "new@north.example": "active"}


def test_an_invitation_works_once(house: House, boss: Identity) -> None:
    token = house.invite(boss).token
    house.accept(token)
    with pytest.raises(InvitationRefusedError):
        house.accept(token, "another long enough one")


def test_an_invitation_ends(house: House, boss: Identity) -> None:
    token = house.invite(boss).token
    house.clock.advance(timedelta(hours=house.settings.invitation_hours))
    with pytest.raises(InvitationRefusedError):
        house.accept(token)


def test_inviting_again_makes_the_first_link_worthless(house: House, boss: Identity) -> None:
    first = house.invite(boss).token
    second = house.invite(boss).token
    with pytest.raises(InvitationRefusedError):
        house.accept(first)
    house.accept(second)


def test_a_weak_password_leaves_the_invitation_open(house: House, boss: Identity) -> None:
    token = house.invite(boss).token
    with pytest.raises(PasswordRefusedError):
        house.accept(token, "short")
    house.accept(token)


def test_somebody_invited_cannot_sign_in_before_they_have_a_password(house: House, boss: Identity) -> None:
    house.invite(boss)
    for password in ("", "!", "the password of nobody"):
        with pytest.raises(SignInRefusedError):
            sign_in(house.db, house.settings, house.clock, factory_id=boss.factory_id, email="new@north.example", password=password)


def test_the_database_does_not_hold_the_secret_of_an_invitation(house: House, boss: Identity) -> None:
    made = house.invite(boss)
    with tenant_session(house.db, boss.factory_id) as session:
        assert session.get_one(User, made.user.id).invite_token != made.token


@pytest.mark.parametrize("email", ["", "x", "a@b@c", "a b@c.example", "a@b.example\nBcc: c@d.example", "a@b.example,c@d.example"])
def test_what_is_no_address_is_not_invited(house: House, boss: Identity, email: str) -> None:
    with pytest.raises(InvalidInputError):
        house.invite(boss, email)


def test_who_works_here_is_not_invited_again(house: House, boss: Identity) -> None:
    with pytest.raises(InvalidInputError, match="already"):
        house.invite(boss, house.chief.email)


@pytest.mark.parametrize(
    "wanted", [{"permissions": {"run_analytics": True}}, {"role": "super_admin"}], ids=["a permission", "the highest role"]
)
def test_nobody_gives_more_than_they_have(house: House, wanted: dict[str, object]) -> None:
    by = house.enter(house.chief, permissions={"manage_users": True})
    with pytest.raises(NotAllowedError):
        house.invite(by, **wanted)


def test_rights_hold_from_the_next_request_on(house: House, boss: Identity) -> None:
    opened = house.accept(house.invite(boss).token)
    people.set_rights(house.db, house.clock, boss, opened.identity.user_id, permissions={"generate_reports": True}, reason="new task")
    now = check_session(house.db, house.settings, house.clock, opened.token)
    assert now is not None
    assert now.permissions == {"generate_reports"}
    people.set_rights(house.db, house.clock, boss, opened.identity.user_id, permissions={}, role="viewer")
    now = check_session(house.db, house.settings, house.clock, opened.token)
    assert now is not None
    assert (now.may_work, now.permissions) == (False, frozenset())


def test_an_unknown_permission_is_refused(house: House, boss: Identity) -> None:
    with pytest.raises(InvalidInputError, match="no permission fly"):
        people.set_rights(house.db, house.clock, boss, boss.user_id, permissions={"fly": True})


def test_deactivating_ends_sessions_and_keys_at_once(house: House, boss: Identity) -> None:
    opened = house.accept(house.invite(boss).token)
    key = api_keys.create(house.db, house.clock, opened.identity, "script", ["read"], house.clock.now() + timedelta(days=1))
    people.deactivate(house.db, house.clock, boss, opened.identity.user_id, reason="left")
    assert check_session(house.db, house.settings, house.clock, opened.token) is None
    assert api_keys.check_key(house.db, house.clock, key.secret) is None
    people.reactivate(house.db, house.clock, boss, opened.identity.user_id)
    assert check_session(house.db, house.settings, house.clock, opened.token) is None
    assert api_keys.check_key(house.db, house.clock, key.secret) is None


def test_deactivating_withdraws_an_open_invitation(house: House, boss: Identity) -> None:
    made = house.invite(boss)
    people.deactivate(house.db, house.clock, boss, made.user.id)
    with pytest.raises(InvitationRefusedError):
        house.accept(made.token)


Deed = Callable[[House, Identity, int], object]
CHANGES: dict[str, Deed] = {
    "rights": lambda h, by, id_: people.set_rights(h.db, h.clock, by, id_, permissions={}),
    "deactivate": lambda h, by, id_: people.deactivate(h.db, h.clock, by, id_),
    "reactivate": lambda h, by, id_: people.reactivate(h.db, h.clock, by, id_),
}


@pytest.mark.parametrize("deed", CHANGES.values(), ids=CHANGES)
def test_people_of_another_factory_do_not_exist(house: House, boss: Identity, deed: Deed) -> None:
    with pytest.raises(NotFoundError):
        deed(house, boss, house.stranger.user_id)


@pytest.mark.parametrize("deed", CHANGES.values(), ids=CHANGES)
def test_a_manager_of_people_cannot_touch_a_super_admin(house: House, boss: Identity, deed: Deed) -> None:
    by = house.accept(house.invite(boss, permissions={"manage_users": True}).token).identity
    with pytest.raises(NotAllowedError):
        deed(house, by, boss.user_id)


def test_a_factory_keeps_a_super_admin(house: House, boss: Identity) -> None:
    with pytest.raises(NotAllowedError, match="themselves"):
        people.deactivate(house.db, house.clock, boss, boss.user_id)
    with pytest.raises(NotAllowedError, match="last super admin"):
        people.set_rights(house.db, house.clock, boss, boss.user_id, permissions={}, role="admin")


def test_every_change_is_audited_with_who_and_why(house: House, boss: Identity) -> None:
    made = house.invite(boss, permissions={"create_rules": True})
    house.accept(made.token)
    people.set_rights(house.db, house.clock, boss, made.user.id, permissions={"create_rules": False}, reason="too many rules")
    people.deactivate(house.db, house.clock, boss, made.user.id)
    with tenant_session(house.db, boss.factory_id) as session:
        events = session.query(AuditEvent).where(AuditEvent.action.like("user.%")).order_by(AuditEvent.id).all()
    assert [(e.action, e.user_id) for e in events] == [
        ("user.invite", boss.user_id),
        ("user.accept", made.user.id),
        ("user.permissions", boss.user_id),
        ("user.deactivate", boss.user_id),
    ]
    changed = events[2]
    assert changed.reason == "too many rules"
    assert changed.before
    assert changed.after
    assert (changed.before["permissions"]["create_rules"], changed.after["permissions"]["create_rules"]) == (True, False)
