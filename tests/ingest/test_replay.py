"""A dead letter is taken in again once what was wrong is mended: once, with the time of its first receipt."""

from datetime import timedelta

import pytest

from ingest import dead_letters, reasons
from ingest.figures import IngestFigures
from ingest.lander import Lander
from ingest.registration import register
from ingest.replay import CUT, replay, replay_stranger, waiting
from tests.ingest.conftest import SLUG, add_devices
from tests.ingest.messages import RECEIVED, RETENTION, incoming
from tests.ingest.test_lander import landed
from warehouse.access.audit import Actor
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.dead_letters import Choice
from warehouse.device_list import DeviceEntry

NEW = f"factories/{SLUG}/devices/NEW/telemetry"
CLOCK = ManualClock(RECEIVED + timedelta(hours=1))
FACTORY = Actor(1)


@pytest.fixture
def lander(database: Database) -> Lander:
    add_devices(database, "M01")
    return Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION)


def later(seconds: float) -> object:
    return RECEIVED + timedelta(seconds=seconds)


def test_what_a_device_sent_before_it_was_registered_is_offered_and_taken_in(database: Database, lander: Lander) -> None:
    stamped = {"timestamp": "2026-01-05T07:59:00Z", "metrics": {"a": 3}}
    lander.land([incoming({"metrics": {"a": n}}, NEW, received=later(n)) for n in range(3)] + [incoming(stamped, NEW)])
    made = register(database, CLOCK, FACTORY, DeviceEntry("NEW"))
    assert (made.waiting.messages, made.waiting.first_at, made.waiting.last_at) == (4, RECEIVED, later(2))
    done = replay_stranger(database, CLOCK, RETENTION, SLUG, "NEW", FACTORY)
    assert (done.accepted, done.still_refused) == (4, {})
    (batch,) = landed(database)
    assert sorted(batch.readings.select("ts", "value", "received_at").rows()) == [
        (RECEIVED - timedelta(minutes=1), 3.0, RECEIVED),
        *((later(n), float(n), later(n)) for n in range(3)),
    ]
    assert set(batch.readings["device_id"]) == {made.credentials.device_id}
    assert dead_letters.counts(database) == {}
    assert waiting(database, SLUG, "NEW").messages == 0


def test_nothing_is_taken_in_twice(database: Database, lander: Lander) -> None:
    lander.land([incoming({"metrics": {"a": 1}}, NEW)])
    register(database, CLOCK, FACTORY, DeviceEntry("NEW"))
    assert [replay_stranger(database, CLOCK, RETENTION, SLUG, "NEW").accepted for _ in range(2)] == [1, 0]
    assert len(landed(database)) == 1


def test_letters_of_a_factory_that_was_unknown_as_well_are_offered(database: Database) -> None:
    lander = Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION)
    lander.land([incoming({"metrics": {"a": 1}}, NEW)])
    assert dead_letters.counts(database) == {reasons.UNKNOWN_FACTORY: 1}
    add_devices(database, "M01")
    assert register(database, CLOCK, FACTORY, DeviceEntry("NEW")).waiting.messages == 1
    assert replay_stranger(database, CLOCK, RETENTION, SLUG, "NEW").accepted == 1


def test_what_is_still_wrong_stays_with_its_reason(database: Database, lander: Lander) -> None:
    lander.land([incoming(b"nonsense"), incoming({"metrics": {"good": 1, "gap": None}}), incoming({"metrics": {"a": 1}}, NEW)])
    done = replay(database, CLOCK, RETENTION, Choice(1))
    assert (done.accepted, done.still_refused) == (0, {reasons.NOT_JSON: 1, reasons.NULL_VALUE: 1, reasons.UNKNOWN_DEVICE: 1})
    assert dead_letters.counts(database) == done.still_refused
    assert sum(batch.readings.height for batch in landed(database)) == 1


def test_of_a_stranger_s_message_the_good_part_lands_and_the_bad_part_stays_a_letter(database: Database, lander: Lander) -> None:
    lander.land([incoming({"metrics": {"good": 1, "gap": None}}, NEW)])
    register(database, CLOCK, FACTORY, DeviceEntry("NEW"))
    assert replay_stranger(database, CLOCK, RETENTION, SLUG, "NEW").accepted == 1
    assert landed(database)[0].readings["parameter"].to_list() == ["good"]
    assert dead_letters.counts(database) == {reasons.NULL_VALUE: 1}


def test_a_cut_payload_and_a_retained_one_without_a_time_are_not_taken_in(database: Database, lander: Lander) -> None:
    long = {"metrics": {"a": 1}, "filling": "x" * 70_000}
    lander.land([incoming(long, NEW), incoming({"metrics": {"a": 1}}, retained=True)])
    register(database, CLOCK, FACTORY, DeviceEntry("NEW"))
    assert replay(database, CLOCK, RETENTION, Choice(1)).still_refused == {CUT: 1, reasons.RETAINED: 1}
    assert landed(database) == []


def test_letters_of_another_factory_are_not_replayed(database: Database, lander: Lander) -> None:
    lander.land([incoming({"metrics": {"a": 1}}, NEW)])
    register(database, CLOCK, FACTORY, DeviceEntry("NEW"))
    assert replay(database, CLOCK, RETENTION, Choice(2)).accepted == 0
    assert replay(database, CLOCK, RETENTION, Choice(1)).accepted == 1
