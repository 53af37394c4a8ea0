"""Keys of programs, lists of sign-ins, refreshing, and passwords changed and reset."""

from datetime import timedelta

import pytest

from tests.fixtures.people import PASSWORD, Person, add_person
from warehouse.access import api_keys, own_password
from warehouse.access.lockout import FREE_TRIES_OF_AN_ADDRESS
from warehouse.access.own_password import ResetRefusedError
from warehouse.access.password_rules import PasswordRefusedError, password_problems
from warehouse.access.sessions import Identity, OpenedSession, check_session, end_own_session, refresh_session, sessions_of
from warehouse.access.sign_in import AddressPausedError, SignInRefusedError, sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.access import ApiKey
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

NEW = "four odd horses run"
DAY = timedelta(days=1)


class Desk:
    def __init__(self, db: Database, settings: Settings, clock: ManualClock, person: Person, stranger: Person) -> None:
        self.db, self.settings, self.clock, self.person, self.stranger = db, settings, clock, person, stranger

    def enter(self, password: str = PASSWORD, person: Person | None = None, address: str | None = None) -> OpenedSession:
        who = person or self.person
        asked = {"factory_id": who.factory_id, "email": who.email, "password": password, "address": address}
        return sign_in(self.db, self.settings, self.clock, **asked)

    def change(self, **columns: object) -> None:
        with tenant_session(self.db, self.person.factory_id) as session:
            row = session.get_one(User, self.person.user_id)
            for name, value in columns.items():
                setattr(row, name, value)

    def check(self, opened: OpenedSession) -> Identity | None:
        return check_session(self.db, self.settings, self.clock, opened.token)

    def key(self, *scopes: str, life: timedelta = DAY) -> api_keys.NewKey:
        return api_keys.create(self.db, self.clock, self.enter().identity, "script", scopes, self.clock.now() + life)

    def holder(self, key: api_keys.NewKey) -> Identity | None:
        return api_keys.check_key(self.db, self.clock, key.secret)


@pytest.fixture
def desk(one_database: Database, settings: Settings, manual_clock: ManualClock, password_hash: str) -> Desk:
    two = [add_person(one_database, password_hash, slug) for slug in ("north", "south")]
    return Desk(one_database, settings, manual_clock, *two)


def test_a_key_has_the_rights_that_it_shares_with_its_person(desk: Desk) -> None:
    desk.change(permissions={"create_rules": True, "run_analytics": True})
    holder = desk.holder(desk.key("read", "create_rules"))
    assert holder is not None
    assert (holder.factory_id, holder.user_id) == (desk.person.factory_id, desk.person.user_id)
    assert (holder.may_work, holder.permissions) == (True, {"create_rules"})
    looking = desk.key("read")
    assert desk.holder(looking).may_work is False
    desk.change(permissions={})
    assert desk.holder(looking).permissions == frozenset()


def test_a_key_is_never_a_super_admin(desk: Desk) -> None:
    desk.change(role="super_admin")
    assert desk.holder(desk.key("work", "manage_users")).role == "admin"


@pytest.mark.parametrize("scopes", [[], ["fly"], ["run_analytics"]], ids=["none", "unknown", "beyond"])
def test_a_key_cannot_be_given_what_the_person_lacks(desk: Desk, scopes: list[str]) -> None:
    desk.change(permissions={"create_rules": True})
    with pytest.raises(InvalidInputError):
        desk.key(*scopes)


@pytest.mark.parametrize("life", [timedelta(), timedelta(days=367)])
def test_a_key_ends_within_a_year(desk: Desk, life: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        desk.key("read", life=life)


def test_a_key_ends_when_it_was_to_end_or_is_ended(desk: Desk) -> None:
    key = desk.key("read")
    desk.clock.advance(DAY - timedelta(seconds=1))
    assert desk.holder(key)
    desk.clock.advance(timedelta(seconds=1))
    assert desk.holder(key) is None
    other = desk.key("read")
    api_keys.revoke(desk.db, desk.clock, desk.enter().identity, other.row.id)
    assert desk.holder(other) is None
    assert [k.revoked_at is None for k in api_keys.keys_of(desk.db, desk.enter().identity)] == [False, True]


def test_a_key_of_another_factory_does_not_exist(desk: Desk) -> None:
    key, stranger = desk.key("read"), desk.enter(person=desk.stranger).identity
    with pytest.raises(NotFoundError):
        api_keys.revoke(desk.db, desk.clock, stranger, key.row.id)
    assert desk.holder(key)


def test_the_database_does_not_hold_the_key(desk: Desk) -> None:
    key = desk.key("read")
    with tenant_session(desk.db, desk.person.factory_id) as session:
        row = session.get_one(ApiKey, key.row.id)
    assert key.secret not in (row.key_hash, row.prefix)
    assert key.secret.startswith(row.prefix)
    assert key.secret not in repr(key)


def test_sign_ins_are_listed_and_ended_one_by_one(desk: Desk) -> None:
    first, second = desk.enter(address="10.0.0.1"), desk.enter(address="10.0.0.2")
    who = second.identity
    assert {row.address for row in sessions_of(desk.db, desk.settings, desk.clock, who)} == {"10.0.0.1", "10.0.0.2"}
    end_own_session(desk.db, desk.clock, who, first.identity.session_id)
    assert desk.check(first) is None
    assert [row.address for row in sessions_of(desk.db, desk.settings, desk.clock, who)] == ["10.0.0.2"]


def test_sign_ins_of_others_cannot_be_ended(desk: Desk) -> None:
    mine, theirs = desk.enter(), desk.enter(person=desk.stranger)
    with pytest.raises(NotFoundError):
        end_own_session(desk.db, desk.clock, mine.identity, theirs.identity.session_id)
    assert desk.check(theirs)


def test_a_sign_in_is_refreshed_until_a_week_is_over(desk: Desk) -> None:
    opened = desk.enter()
    for _ in range(24):
        desk.clock.advance(timedelta(hours=7))
        who = desk.check(opened)
        if who is None:
            break
        refresh_session(desk.db, desk.settings, desk.clock, who)
    assert desk.clock.now() - opened.identity.expires_at + timedelta(hours=24) == timedelta(hours=168)


def test_changing_the_password_ends_the_other_sign_ins(desk: Desk) -> None:
    here, elsewhere = desk.enter(), desk.enter()
    own_password.change_password(desk.db, desk.clock, here.identity, PASSWORD, NEW)
    assert desk.check(here)
    assert desk.check(elsewhere) is None
    with pytest.raises(SignInRefusedError):
        desk.enter()
    desk.enter(NEW)


@pytest.mark.parametrize(("old", "new"), [("wrong", NEW), (PASSWORD, PASSWORD), (PASSWORD, "short")])
def test_a_password_is_not_changed_without_the_old_one_or_to_a_bad_one(desk: Desk, old: str, new: str) -> None:
    with pytest.raises(InvalidInputError):
        own_password.change_password(desk.db, desk.clock, desk.enter().identity, old, new)
    desk.enter()


def ask(desk: Desk, email: str | None = None) -> own_password.ResetLink | None:
    return own_password.ask_for_reset(desk.db, desk.settings, desk.clock, desk.person.factory_id, email or desk.person.email)


def test_a_link_gives_a_new_password_once_and_ends_all_sign_ins(desk: Desk) -> None:
    opened, link = desk.enter(), ask(desk)
    assert link
    own_password.reset_password(desk.db, desk.clock, link.token, NEW)
    assert desk.check(opened) is None
    desk.enter(NEW)
    with pytest.raises(ResetRefusedError):
        own_password.reset_password(desk.db, desk.clock, link.token, "another long enough one")


def test_a_link_ends_and_a_newer_one_replaces_it(desk: Desk) -> None:
    first, second = ask(desk), ask(desk)
    assert first
    assert second
    with pytest.raises(ResetRefusedError):
        own_password.reset_password(desk.db, desk.clock, first.token, NEW)
    desk.clock.advance(timedelta(minutes=desk.settings.reset_link_minutes))
    with pytest.raises(ResetRefusedError):
        own_password.reset_password(desk.db, desk.clock, second.token, NEW)


def test_a_weak_password_leaves_the_link_alive(desk: Desk) -> None:
    link = ask(desk)
    assert link
    with pytest.raises(PasswordRefusedError):
        own_password.reset_password(desk.db, desk.clock, link.token, "north north")
    own_password.reset_password(desk.db, desk.clock, link.token, NEW)


def test_there_is_no_link_for_who_has_no_active_account(desk: Desk) -> None:
    assert ask(desk, "nobody@north.example") is None
    desk.change(is_active=False)
    assert ask(desk) is None


@pytest.mark.parametrize(
    "password",
    ["elevenchars", "aaaaaaaaaaaaaaaa", "password123456", "Qwertyuiop123", "abcdefghijkl", "123456789012", "linh.tran rules", "x" * 1025],
)
def test_a_bad_password_is_refused_with_the_reason(password: str) -> None:
    assert password_problems(password, "linh.tran@north.example")


@pytest.mark.parametrize("password", [PASSWORD, NEW, "Tr0ub4dor&3 is fine", "đường lên đỉnh núi cao"])
def test_a_good_password_passes(password: str) -> None:
    assert password_problems(password, "linh.tran@north.example", "Plant North") == []


def test_an_address_pauses_after_wrong_tries_at_many_accounts(desk: Desk) -> None:
    for number in range(FREE_TRIES_OF_AN_ADDRESS):
        with pytest.raises(SignInRefusedError):
            sign_in(desk.db, desk.settings, desk.clock, factory_id=1, email=f"u{number}@x.example", password="wrong", address="10.0.0.9")
    with pytest.raises(AddressPausedError) as paused:
        desk.enter(address="10.0.0.9")
    assert paused.value.retry_after_s == 61
    desk.enter(address="10.0.0.8")
    desk.clock.advance(timedelta(minutes=1, seconds=1))
    desk.enter(address="10.0.0.9")
