"""A refused sign-in costs the same whatever was wrong, so that time does not tell who has an account."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import event

from tests.fixtures.people import PASSWORD, Person, add_person
from warehouse.access import passwords
from warehouse.access.lockout import FREE_TRIES
from warehouse.access.passwords import NO_PASSWORD
from warehouse.access.sign_in import SignInRefusedError, sign_in
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

ADDRESS = "192.0.2.1"


class Door:
    """Somebody with an account, and what refusing costs."""

    def __init__(self, db: Database, settings: Settings, clock: ManualClock, person: Person, patch: pytest.MonkeyPatch) -> None:
        self.db, self.settings, self.clock, self.person = db, settings, clock, person
        self.checked: list[str] = []
        real = passwords._HASHER.verify

        class Counting:
            verify = staticmethod(lambda hashed, password: (self.checked.append(hashed.split("$")[1]), real(hashed, password))[1])
            hash = staticmethod(passwords._HASHER.hash)
            check_needs_rehash = staticmethod(passwords._HASHER.check_needs_rehash)

        patch.setattr(passwords, "_HASHER", Counting)
        self.statements: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *args: self.statements.append(args[2]))

    def refused(self, email: str, password: str) -> tuple[list[str], Counter[str]]:
        """How many hashes of which kind and which statements a try costs."""
        self.checked.clear()
        self.statements.clear()
        asked = {"factory_id": self.person.factory_id, "email": email, "password": password, "address": ADDRESS}
        with pytest.raises(SignInRefusedError):
            sign_in(self.db, self.settings, self.clock, **asked)
        return list(self.checked), Counter(self.statements)

    def change(self, **columns: object) -> None:
        with tenant_session(self.db, self.person.factory_id, write=True) as session:
            for name, value in columns.items():
                setattr(session.get_one(User, self.person.user_id), name, value)


@pytest.fixture
def door(
    one_database: Database, settings: Settings, manual_clock: ManualClock, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> Door:
    made = Door(one_database, settings, manual_clock, add_person(one_database, password_hash, "north"), monkeypatch)
    made.refused("nobody@north.example", "x")  # the first refusal of an address and a factory makes their rows
    return made


def lock(door: Door) -> None:
    for _ in range(FREE_TRIES):
        door.refused(door.person.email, "wrong")


@pytest.mark.parametrize(
    ("prepare", "password"),
    [
        (lambda _: None, "wrong"),
        (lambda _: None, "w" * 100_000),
        (lock, PASSWORD),
        (lambda door: door.change(is_active=False), PASSWORD),
        (lambda door: door.change(hashed_password=NO_PASSWORD, is_active=False), PASSWORD),
    ],
    ids=["wrong password", "endless password", "paused account", "deactivated", "invited"],
)
def test_every_refusal_costs_what_that_of_an_unknown_account_costs(door: Door, prepare: Callable[[Door], None], password: str) -> None:
    hashes, statements = door.refused("nobody@north.example", password)
    assert hashes == ["argon2id"]
    assert sum(statements.values()) > 5
    prepare(door)
    assert door.refused(door.person.email, password) == (hashes, statements)
