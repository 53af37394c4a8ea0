"""A machine's key is shown once and stored as a hash; a key that could mean something else in a topic is refused."""

import pytest
from sqlalchemy import select

from ingest.device_keys import verify_device_key
from ingest.registration import devices_of, register, revoke_key, rotate_key
from tests.fixtures.people import Person
from tests.ingest.messages import RECEIVED
from warehouse.access.audit import Actor
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.device_list import DeviceEntry
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.people import AuditEvent
from warehouse.tenancy import tenant_session

CLOCK = ManualClock(RECEIVED)


@pytest.fixture
def north(two_people: tuple[Person, Person]) -> Actor:
    return Actor(two_people[0].factory_id, two_people[0].user_id)


@pytest.fixture
def south(two_people: tuple[Person, Person]) -> Actor:
    return Actor(two_people[1].factory_id, two_people[1].user_id)


def test_a_new_machine_has_a_key_of_which_only_the_hash_is_stored(database: Database, north: Actor) -> None:
    made = register(database, CLOCK, north, DeviceEntry("M01", name="Mill", kind="CNC mill")).credentials
    assert (made.user_name, made.topic) == ("north/devices/M01", "factories/north/devices/M01/telemetry")
    (device,) = devices_of(database, north.factory_id)
    assert (device.name, device.kind, device.is_active) == ("Mill", "CNC mill", True)
    assert made.password not in str(device.api_key)
    assert verify_device_key(made.password, device.api_key)
    assert made.password not in repr(made)


def test_a_new_key_ends_the_old_one_and_a_revoked_machine_has_none(database: Database, north: Actor) -> None:
    first = register(database, CLOCK, north, DeviceEntry("M01")).credentials.password
    second = rotate_key(database, CLOCK, north, "M01").password
    hashed = devices_of(database, north.factory_id)[0].api_key
    assert [verify_device_key(key, hashed) for key in (first, second)] == [False, True]
    revoke_key(database, CLOCK, north, "M01")
    assert devices_of(database, north.factory_id)[0].api_key is None


@pytest.mark.parametrize("key", ["", " ", "a/b", "a+", "#", "a:b", " a", "a\nb", "x" * 101])
def test_a_key_that_cannot_be_in_a_topic_is_refused(database: Database, north: Actor, key: str) -> None:
    with pytest.raises(InvalidInputError, match="device key"):
        register(database, CLOCK, north, DeviceEntry(key))


def test_a_key_is_taken_once_in_a_factory_and_free_in_others(database: Database, north: Actor, south: Actor) -> None:
    register(database, CLOCK, north, DeviceEntry("M01"))
    with pytest.raises(InvalidInputError, match="already"):
        register(database, CLOCK, north, DeviceEntry("M01"))
    assert register(database, CLOCK, south, DeviceEntry("M01")).credentials.user_name == "south/devices/M01"


def test_another_factory_s_machine_cannot_be_given_a_key(database: Database, north: Actor, south: Actor) -> None:
    register(database, CLOCK, north, DeviceEntry("M01"))
    for change in (rotate_key, revoke_key):
        with pytest.raises(NotFoundError):
            change(database, CLOCK, south, "M01")
    assert devices_of(database, south.factory_id) == []


def test_each_change_is_in_the_audit_trail_and_no_key_is(database: Database, north: Actor) -> None:
    made = [register(database, CLOCK, north, DeviceEntry("M01")).credentials, rotate_key(database, CLOCK, north, "M01")]
    revoke_key(database, CLOCK, north, "M01")
    with tenant_session(database, north.factory_id) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(event.action, event.user_id) for event in events] == [
        ("device.register", north.user_id), ("device.key_rotate", north.user_id), ("device.key_revoke", north.user_id),
    ]  # fmt: skip
    told = str([(event.before, event.after) for event in events])
    assert not any(credentials.password in told for credentials in made)
