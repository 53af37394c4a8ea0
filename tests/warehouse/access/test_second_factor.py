"""Codes of authenticator apps, recovery codes, and sign-in in two steps."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from tests.fixtures.people import PASSWORD, Person, add_person
from warehouse.access import second_factor, totp
from warehouse.access.lockout import FREE_TRIES
from warehouse.access.second_factor import WrongCodeError
from warehouse.access.sessions import Identity, OpenedSession
from warehouse.access.sign_in import TRIES_OF_A_TICKET, SecondFactorNeededError, SignInRefusedError, finish_sign_in, sign_in
from warehouse.access.wrong_passwords import AskedAgainRefusedError
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.access import SecondFactor
from warehouse.models.people import AuditEvent
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

# The secret of RFC 6238's appendix B, "12345678901234567890", in base32.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"), (2000000000, "69279037")],
)
def test_codes_are_those_of_the_standard(second: int, code: str) -> None:
    assert totp.code_at(RFC_SECRET, totp.step_of(datetime.fromtimestamp(second, UTC)), digits=8) == code


class Phone:
    """A person with an authenticator app."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock, person: Person) -> None:
        self.db, self.settings, self.clock, self.person = db, settings, clock, person
        self.who = self.enter().identity
        self.secret = second_factor.begin(db, settings, clock, self.who, PASSWORD).secret
        self.spare = second_factor.confirm(db, settings, clock, self.who, self.code())
        self.clock.advance(timedelta(seconds=60))

    def enter(self, password: str = PASSWORD) -> OpenedSession:
        asked = {"factory_id": self.person.factory_id, "email": self.person.email, "password": password}
        return sign_in(self.db, self.settings, self.clock, **asked)

    def ticket(self) -> str:
        with pytest.raises(SecondFactorNeededError) as needed:
            self.enter()
        return needed.value.ticket

    def code(self) -> str:
        return totp.code_at(self.secret, totp.step_of(self.clock.now()))

    def wrong(self) -> str:
        return f"{(int(self.code()) + 1) % 10**6:06d}"

    def finish(self, ticket: str, code: str) -> OpenedSession:
        return finish_sign_in(self.db, self.settings, self.clock, ticket, code)

    def end(self, password: str, code: str) -> None:
        second_factor.end(self.db, self.settings, self.clock, self.who, password, code)


@pytest.fixture
def phone(one_database: Database, settings: Settings, manual_clock: ManualClock, password_hash: str) -> Phone:
    return Phone(one_database, settings, manual_clock, add_person(one_database, password_hash, "north"))


def test_with_a_second_factor_a_password_alone_opens_nothing(phone: Phone) -> None:
    opened = phone.finish(phone.ticket(), phone.code())
    assert opened.identity.user_id == phone.person.user_id


def test_a_code_works_once(phone: Phone) -> None:
    code = phone.code()
    phone.finish(phone.ticket(), code)
    with pytest.raises(SignInRefusedError):
        phone.finish(phone.ticket(), code)


def test_a_ticket_works_once_and_not_for_long(phone: Phone) -> None:
    ticket = phone.ticket()
    phone.finish(ticket, phone.code())
    phone.clock.advance(timedelta(seconds=60))
    with pytest.raises(SignInRefusedError):
        phone.finish(ticket, phone.code())
    late = phone.ticket()
    phone.clock.advance(timedelta(minutes=5))
    with pytest.raises(SignInRefusedError):
        phone.finish(late, phone.code())


def test_wrong_codes_use_up_the_ticket_and_pause_the_account(phone: Phone) -> None:
    ticket = phone.ticket()
    for _ in range(TRIES_OF_A_TICKET):
        with pytest.raises(SignInRefusedError):
            phone.finish(ticket, phone.wrong())
    with pytest.raises(SignInRefusedError):
        phone.finish(ticket, phone.code())
    with pytest.raises(SignInRefusedError):
        phone.enter()


def test_a_recovery_code_stands_in_once(phone: Phone) -> None:
    assert len(set(phone.spare)) == second_factor.RECOVERY_CODES
    phone.finish(phone.ticket(), phone.spare[0].upper().replace("-", " "))
    assert second_factor.state(phone.db, phone.who) == (True, second_factor.RECOVERY_CODES - 1)
    with pytest.raises(SignInRefusedError):
        phone.finish(phone.ticket(), phone.spare[0])


def test_new_recovery_codes_replace_the_old_ones(phone: Phone) -> None:
    fresh = second_factor.renew_recovery_codes(phone.db, phone.settings, phone.clock, phone.who, phone.code())
    with pytest.raises(SignInRefusedError):
        phone.finish(phone.ticket(), phone.spare[0])
    phone.finish(phone.ticket(), fresh[0])


def test_it_is_turned_off_with_password_and_code_together(phone: Phone) -> None:
    with pytest.raises(WrongCodeError):
        phone.end(PASSWORD, phone.wrong())
    with pytest.raises(AskedAgainRefusedError):
        phone.end("wrong", phone.code())
    assert second_factor.state(phone.db, phone.who)[0]
    phone.end(PASSWORD, phone.code())
    assert phone.enter().identity.user_id == phone.person.user_id
    with tenant_session(phone.db, phone.person.factory_id) as session:
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.position)))
    assert [action for action in actions if action != "session.open"] == [
        "second_factor.on", "session.refuse", "session.refuse", "second_factor.off",
    ]  # fmt: skip


def test_an_open_browser_is_no_place_to_try_passwords(phone: Phone) -> None:
    for _ in range(FREE_TRIES):
        with pytest.raises(AskedAgainRefusedError, match="not right"):
            phone.end("wrong", phone.code())
    with pytest.raises(AskedAgainRefusedError, match="pauses"):
        phone.end(PASSWORD, phone.code())
    phone.clock.advance(timedelta(seconds=61))
    phone.end(PASSWORD, phone.code())


def test_a_second_factor_that_was_never_confirmed_is_not_asked_for(
    one_database: Database, settings: Settings, manual_clock: ManualClock, password_hash: str
) -> None:
    phone = Phone(one_database, settings, manual_clock, add_person(one_database, password_hash, "north"))
    phone.end(PASSWORD, phone.code())
    second_factor.begin(phone.db, phone.settings, phone.clock, phone.who, PASSWORD)
    phone.enter()


def test_a_new_one_needs_the_password_and_no_other_one(phone: Phone) -> None:
    with pytest.raises(AskedAgainRefusedError):
        second_factor.begin(phone.db, phone.settings, phone.clock, phone.who, "wrong")
    with pytest.raises(Exception, match="second factor already"):
        second_factor.begin(phone.db, phone.settings, phone.clock, phone.who, PASSWORD)


def test_the_database_does_not_hold_the_secret(phone: Phone) -> None:
    with tenant_session(phone.db, phone.person.factory_id) as session:
        assert phone.secret not in session.get_one(SecondFactor, phone.person.user_id).sealed_secret


def test_the_app_is_told_whose_codes_they_are(phone: Phone) -> None:
    who: Identity = phone.who
    link = totp.app_link("ABC", who.email, who.factory_name)
    assert (
        link
        == "otpauth://totp/FactoryOps%20Plant%20North%3Achief%40north.example?secret=ABC&issuer=FactoryOps%20Plant%20North&digits=6&period=30"
    )


def test_a_new_key_of_the_installation_leaves_every_phone_valid(phone: Phone) -> None:
    before = phone.settings.jwt_secret_key
    both = {"jwt_secret_key": SecretStr("n" * 40), "jwt_secret_key_previous": before}
    phone.settings = phone.settings.model_copy(update=both)
    phone.finish(phone.ticket(), phone.code())
    assert second_factor.reseal(phone.db, phone.settings) == 1
    phone.settings = phone.settings.model_copy(update={"jwt_secret_key_previous": SecretStr("")})
    phone.clock.advance(timedelta(seconds=60))
    phone.finish(phone.ticket(), phone.code())
