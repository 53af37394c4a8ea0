from datetime import timedelta

import jwt
import pytest

from tests.fixtures.people import PASSWORD, PRODUCT_HASHER, Person
from warehouse.access.lockout import FREE_TRIES, LONGEST_PAUSE, pause_after
from warehouse.access.passwords import hash_password, verify_password
from warehouse.access.sessions import OpenedSession, check_session, check_session_id, revoke_session, session_id_of
from warehouse.access.sign_in import SignInRefusedError, factories, sign_in
from warehouse.access.tokens import TokenRefusedError, make_access_token, read_access_token
from warehouse.clock import ManualClock, SystemClock
from warehouse.db import Database
from warehouse.models.people import AuditEvent, User, UserSession
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

KEY = "k" * 40


class Door:
    """Sign in and check, with the arguments that never change filled in."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock, person: Person) -> None:
        self.db, self.settings, self.clock, self.person = db, settings, clock, person

    def enter(self, password: str = PASSWORD, **other: object) -> OpenedSession:
        asked = {"factory_id": self.person.factory_id, "email": self.person.email, "password": password, **other}
        return sign_in(self.db, self.settings, self.clock, **asked)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(SignInRefusedError):
                self.enter("wrong")

    def check(self, token: str, *, is_use: bool = True) -> object:
        return check_session(self.db, self.settings, self.clock, token, is_use=is_use)


@pytest.fixture
def door(database: Database, settings: Settings, manual_clock: ManualClock, two_people: tuple[Person, Person]) -> Door:
    return Door(database, settings, manual_clock, two_people[0])


def test_the_right_password_opens_a_session_of_that_factory(door: Door) -> None:
    opened = door.enter()
    assert door.check(opened.token) == opened.identity
    assert (opened.identity.factory_id, opened.identity.factory_slug, opened.identity.user_id) == (
        door.person.factory_id,
        "north",
        door.person.user_id,
    )


def test_the_database_does_not_hold_the_secret(door: Door) -> None:
    opened = door.enter()
    with system_session(door.db, "look") as session:
        assert session.get_one(UserSession, session_id_of(opened.token)).id != opened.token
    assert opened.token not in repr(opened)


@pytest.mark.parametrize("other", [{"email": "nobody@north.example"}, {"factory_id": 999}])
def test_an_unknown_account_is_refused_in_the_same_words_as_a_wrong_password(door: Door, other: dict[str, object]) -> None:
    with pytest.raises(SignInRefusedError) as unknown:
        door.enter(**other)
    with pytest.raises(SignInRefusedError) as wrong:
        door.enter("wrong")
    assert str(unknown.value) == str(wrong.value)


def test_the_account_of_one_factory_does_not_open_another(door: Door, two_people: tuple[Person, Person]) -> None:
    with pytest.raises(SignInRefusedError):
        door.enter(factory_id=two_people[1].factory_id)


def test_case_and_spaces_of_the_e_mail_do_not_matter(door: Door) -> None:
    assert door.enter(email=f"  {door.person.email.upper()} ").identity.user_id == door.person.user_id


def test_five_wrong_passwords_pause_the_account_even_for_the_right_one(door: Door) -> None:
    door.fail(FREE_TRIES)
    with pytest.raises(SignInRefusedError):
        door.enter()
    door.clock.advance(timedelta(seconds=61))
    assert door.enter().identity.user_id == door.person.user_id


def test_tries_during_the_pause_do_not_lengthen_it(door: Door) -> None:
    door.fail(FREE_TRIES + 3)
    door.clock.advance(timedelta(seconds=61))
    door.enter()


def test_a_sign_in_forgets_earlier_failures(door: Door) -> None:
    door.fail(FREE_TRIES - 1)
    door.enter()
    door.fail(FREE_TRIES - 1)
    door.enter()


def test_pauses_double_up_to_an_hour() -> None:
    minutes = [p.total_seconds() / 60 if (p := pause_after(n)) else 0 for n in range(1, 14)]
    assert minutes == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pause_after(10_000) == LONGEST_PAUSE


def test_a_deactivated_person_is_refused_and_open_sessions_end(door: Door) -> None:
    opened = door.enter()
    with tenant_session(door.db, door.person.factory_id) as session:
        session.get_one(User, door.person.user_id).is_active = False
    assert door.check(opened.token) is None
    with pytest.raises(SignInRefusedError):
        door.enter()


def test_a_session_ends_after_its_absolute_lifetime_however_much_it_is_used(door: Door) -> None:
    opened = door.enter()
    for _ in range(4):
        door.clock.advance(timedelta(hours=5, minutes=59))
        assert door.check(opened.token)
    door.clock.advance(timedelta(minutes=5))
    assert door.check(opened.token) is None


def test_a_session_ends_when_it_was_not_used_for_long(door: Door) -> None:
    opened = door.enter()
    door.clock.advance(timedelta(hours=8))
    assert door.check(opened.token) is None


def test_asking_without_use_does_not_keep_a_session_awake(door: Door) -> None:
    opened = door.enter()
    door.clock.advance(timedelta(hours=7))
    assert door.check(opened.token, is_use=False)
    door.clock.advance(timedelta(hours=1))
    assert door.check(opened.token) is None


def test_a_revoked_session_is_worth_nothing(door: Door) -> None:
    opened = door.enter()
    assert revoke_session(door.db, door.clock, opened.identity.session_id)
    assert door.check(opened.token) is None
    assert not revoke_session(door.db, door.clock, opened.identity.session_id)


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "ü"])
def test_an_unknown_token_is_nobody(door: Door, token: str) -> None:
    assert door.check(token) is None


def test_opening_refusing_and_closing_are_in_the_audit_trail(door: Door) -> None:
    door.fail()
    revoke_session(door.db, door.clock, door.enter(address="10.0.0.7").identity.session_id)
    with tenant_session(door.db, door.person.factory_id) as session:
        found = [(e.action, e.target, e.address) for e in session.query(AuditEvent).order_by(AuditEvent.id)]
    target = f"user:{door.person.user_id}"
    assert found == [("session.refuse", target, None), ("session.open", target, "10.0.0.7"), ("session.close", target, None)]


def test_permissions_of_an_admin_are_those_granted_and_a_super_admin_has_all(door: Door) -> None:
    with tenant_session(door.db, door.person.factory_id) as session:
        session.get_one(User, door.person.user_id).permissions = {"create_rules": True, "run_analytics": False}
    assert door.enter().identity.permissions == {"create_rules"}
    with tenant_session(door.db, door.person.factory_id) as session:
        session.get_one(User, door.person.user_id).role = "super_admin"
    assert door.enter().identity.may("manage_users")


def test_anybody_may_list_factories_by_name(door: Door) -> None:
    assert [f.slug for f in factories(door.db)] == ["north", "south"]


def test_passwords_cost_what_rfc_9106_says() -> None:
    assert (PRODUCT_HASHER.time_cost, PRODUCT_HASHER.memory_cost, PRODUCT_HASHER.parallelism) == (3, 65536, 4)


def test_passwords_are_argon2id_with_their_own_salt() -> None:
    first, second = hash_password("one"), hash_password("one")
    assert first.startswith("$argon2id$")
    assert first != second
    assert verify_password("one", first)
    assert not verify_password("two", first)
    assert not verify_password("one", None)
    assert not verify_password("one", "no hash")


def in_real_time(door: Door) -> None:
    door.clock.set(SystemClock().now())  # PyJWT compares with the clock of this machine


def test_an_access_token_leads_to_its_session(door: Door) -> None:
    in_real_time(door)
    identity = door.enter().identity
    claims = read_access_token(make_access_token(identity, KEY, door.clock.now()), KEY)
    assert check_session_id(door.db, door.settings, door.clock, claims.session_id) == identity


def test_while_a_key_is_replaced_tokens_of_both_are_good(door: Door) -> None:
    in_real_time(door)
    identity = door.enter().identity
    for key in (KEY, "o" * 40):
        token = make_access_token(identity, key, door.clock.now())
        assert read_access_token(token, KEY, "o" * 40).session_id == identity.session_id
    with pytest.raises(TokenRefusedError):
        read_access_token(make_access_token(identity, "z" * 40, door.clock.now()), KEY, "o" * 40)


@pytest.mark.parametrize("spoil", ["other key", "changed", "none", "expired"])
def test_a_spoiled_access_token_is_refused(door: Door, spoil: str) -> None:
    if spoil != "expired":
        in_real_time(door)
    token = make_access_token(door.enter().identity, KEY, door.clock.now())
    claims = jwt.decode(token, options={"verify_signature": False})
    spoiled = {
        "other key": lambda: make_access_token(door.enter().identity, "z" * 40, door.clock.now()),
        "changed": lambda: token[:-20] + "A" * 20,
        "none": lambda: jwt.encode(claims, None, algorithm="none"),
        "expired": lambda: token,
    }
    with pytest.raises(TokenRefusedError):
        read_access_token(spoiled[spoil](), KEY)
