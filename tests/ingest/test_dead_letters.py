"""Dead letters are kept where people find them, cut to size, and cannot fill the database."""

import pytest

from ingest import dead_letters, reasons
from ingest.dead_letters import Bounds
from ingest.flush import Incoming, Letter
from tests.fixtures.people import Person
from tests.ingest.messages import RECEIVED, incoming
from warehouse.db import Database
from warehouse.models.streams import DeadLetter
from warehouse.tenancy import system_session


def letter(payload: bytes = b"x", topic: str = "t", reason: str = reasons.NOT_JSON, factory_id: int | None = None) -> Letter:
    return Letter(incoming(payload, topic), reason, "detail", factory_id, None, "M01")


def record(database: Database, *letters: Letter) -> None:
    with system_session(database, "record in a test", write=True) as session:
        dead_letters.record(session, letters)


def test_a_large_payload_is_cut_and_its_size_told(database: Database) -> None:
    record(database, letter(b"x" * 200_000))
    (kept,) = dead_letters.listed(database)
    assert (len(kept.payload), kept.payload_size, kept.received_at) == (64 * 1024, 200_000, RECEIVED)


def test_topics_and_details_that_no_database_takes_are_kept_readable(database: Database) -> None:
    record(database, letter(b"\x00\xff", "a\0b\ud800"))
    (kept,) = dead_letters.listed(database)
    assert (kept.topic, kept.payload) == ("a\\0b\\ud800", b"\x00\xff")


def delivered(payload: bytes, mid: int, *, repeated: bool) -> Letter:
    return Letter(Incoming("t", payload, 0, mid=mid, repeated=repeated), reasons.NOT_JSON, "detail", None, None, "M01")


def test_what_the_broker_delivers_again_is_recorded_once(database: Database) -> None:
    both = [delivered(b"1", 7, repeated=False), delivered(b"1", 7, repeated=False)]  # two faults of one message
    record(database, *both)
    record(database, *[delivered(b"1", 7, repeated=True)] * 2)
    assert dead_letters.counts(database) == {reasons.NOT_JSON: 2}


def test_a_repeat_that_was_never_recorded_is_recorded_with_all_its_faults(database: Database) -> None:
    record(database, delivered(b"1", 7, repeated=False))
    record(database, *[delivered(b"2", 7, repeated=True)] * 2, delivered(b"1", 8, repeated=True))
    with system_session(database, "another ingester in a test", write=True) as session:
        dead_letters.record(session, [delivered(b"1", 7, repeated=True)], "ingest-2")
    assert dead_letters.counts(database) == {reasons.NOT_JSON: 5}


def test_counted_and_listed_by_reason_and_factory(database: Database, two_people: tuple[Person, Person]) -> None:
    own, other = (person.factory_id for person in two_people)
    record(database, letter(b"1", factory_id=own), letter(b"2", factory_id=own, reason=reasons.CLOCK), letter(b"3", factory_id=other))
    record(database, letter(b"4"))
    assert dead_letters.counts(database) == {reasons.NOT_JSON: 3, reasons.CLOCK: 1}
    assert dead_letters.counts(database, own) == {reasons.NOT_JSON: 1, reasons.CLOCK: 1}
    assert [kept.payload for kept in dead_letters.listed(database)] == [b"4", b"3", b"2", b"1"]
    assert [kept.payload for kept in dead_letters.listed(database, own, reason=reasons.CLOCK)] == [b"2"]


def test_replayed_letters_are_not_counted(database: Database) -> None:
    record(database, letter(), letter())
    with system_session(database, "replay in a test", write=True) as session:
        session.query(DeadLetter).first().replayed_at = RECEIVED  # type: ignore[union-attr]
    assert dead_letters.counts(database) == {reasons.NOT_JSON: 1}
    assert len(dead_letters.listed(database)) == 1


def test_a_flood_from_one_topic_is_cut_and_others_are_not() -> None:
    now_s = 0.0
    bounds = Bounds(burst=5, per_s=2.0, monotonic=lambda: now_s)
    flood = [letter(topic="flood")] * 100
    assert len(bounds.admit(flood)) == 5
    assert len(bounds.admit([letter(topic="other")])) == 1
    now_s = 1.0
    assert len(bounds.admit(flood)) == 2


@pytest.mark.parametrize("topics", [50, 5_000])
def test_the_memory_of_topics_is_bounded(topics: int) -> None:
    bounds = Bounds(most_topics=100)
    bounds.admit([letter(topic=f"topic-{n}") for n in range(topics)])
    assert len(bounds._allowances) == min(topics, 100)
