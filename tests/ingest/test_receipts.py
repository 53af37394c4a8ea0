"""A message without a time stamp counts once, also when the ingester dies between its commit and the acknowledgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import receipts
from ingest.connection import Connection, next_moment_us
from ingest.credentials import Login
from ingest.figures import IngestFigures
from ingest.flush import Incoming
from ingest.inbox import Inbox
from ingest.lander import Lander
from ingest.receipts import MOST_SINCE, Receipts, packed, receipts_of, unpacked
from tests.ingest.conftest import add_devices
from tests.ingest.messages import M01, RECEIVED, RETENTION, microseconds
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.readings import deduplicate, unknown
from warehouse.tenancy import system_session

NOW_US = microseconds(RECEIVED)


def untimed(mid: int, after_us: int, *, value: int = 1, repeated: bool = False) -> Incoming:
    return Incoming(M01, b'{"metrics":{"n":%d}}' % value, NOW_US + after_us, mid=mid, repeated=repeated)


def fresh_values(database: Database) -> list[float]:
    """What the loader would write: every landed reading once."""
    with system_session(database, "read in a test") as session:
        batches = landing.read_after(session, 0, 1000)
    state, values = unknown(), []
    for batch in batches:
        found = deduplicate(state, batch.readings)
        state = found.state
        values += found.fresh["value"].to_list()
    return values


def new_lander(database: Database, client_id: str = "ingest-1") -> Lander:
    return Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION, client_id)


@pytest.fixture(autouse=True)
def _devices(database: Database) -> None:
    add_devices(database, "M01", "M02")


def test_what_a_dead_ingester_landed_and_did_not_acknowledge_counts_once(database: Database) -> None:
    new_lander(database).land([untimed(1, 0), untimed(2, 1, value=2)])
    new_lander(database).land([untimed(1, 900, repeated=True), untimed(2, 901, value=2, repeated=True), untimed(3, 902)])
    assert fresh_values(database) == [1.0, 2.0, 1.0]


def test_the_same_after_a_new_connection_of_a_living_one(database: Database) -> None:
    lander = new_lander(database)
    lander.land([untimed(1, 0)])
    lander.land([untimed(1, 900, repeated=True)])
    assert fresh_values(database) == [1.0]


def test_what_was_received_and_did_not_land_is_new_when_it_comes_again(database: Database) -> None:
    """Marked as a repeat as well: the flag alone tells nothing."""
    new_lander(database).land([untimed(1, 0)])
    new_lander(database).land([untimed(2, 900, repeated=True)])
    assert fresh_values(database) == [1.0, 1.0]


def test_another_message_of_the_same_id_is_new(database: Database) -> None:
    new_lander(database).land([untimed(1, 0)])
    new_lander(database).land([untimed(1, 900, value=5, repeated=True)])
    assert fresh_values(database) == [1.0, 5.0]


def test_ids_of_another_ingester_are_its_own(database: Database) -> None:
    new_lander(database, "ingest-1").land([untimed(1, 0)])
    new_lander(database, "ingest-2").land([untimed(1, 900, repeated=True)])
    assert fresh_values(database) == [1.0, 1.0]


def test_an_id_that_came_round_is_new() -> None:
    known = Receipts()
    known.learn(receipts_of([(untimed(1, 0), NOW_US)]), 1)
    known.learn([], MOST_SINCE)
    assert known.first_received_us(untimed(1, 900, repeated=True)) == NOW_US
    known.learn([], 1)
    assert known.first_received_us(untimed(1, 900, repeated=True)) == NOW_US + 900


def test_a_message_that_the_broker_marks_as_new_is_new() -> None:
    known = Receipts()
    known.learn(receipts_of([(untimed(1, 0), NOW_US)]), 1)
    assert known.first_received_us(untimed(1, 900)) == NOW_US + 900


def test_messages_of_qos_0_leave_no_receipt() -> None:
    assert receipts_of([(untimed(0, 0), NOW_US)]) == []


@given(st.lists(st.tuples(st.integers(1, 65_535), st.binary(max_size=20), st.integers(0, 1 << 60))))
def test_receipts_come_back_as_they_were_stored(found: list[tuple[int, bytes, int]]) -> None:
    made = receipts_of([(Incoming(M01, payload, moment, mid=mid), moment) for mid, payload, moment in found])
    stored = packed(made)
    assert (unpacked(stored) if stored else []) == made


def test_messages_with_a_time_stamp_cost_nothing(database: Database) -> None:
    new_lander(database).land([Incoming(M01, b'{"timestamp":"2026-01-05T08:00:00Z","metrics":{"n":1}}', NOW_US, mid=1)])
    with system_session(database, "read in a test") as session:
        assert landing.last_receipts(session, "ingest-1", receipts.READ_BACK_BATCHES) == [(1, None)]


@pytest.mark.parametrize(
    ("now_us", "last_us", "expected_us"),
    [(5_000_000, 4_000_000, 5_000_000), (5_000_000, 5_000_200, 5_000_200), (5_000_000, 7_000_000, 5_000_000)],
    ids=["time goes on", "a burst was faster than the clock", "the clock was set back"],
)
def test_messages_of_one_burst_have_moments_of_their_own(now_us: int, last_us: int, expected_us: int) -> None:
    assert next_moment_us(now_us, last_us) == expected_us


def test_two_messages_without_a_time_stamp_in_one_burst_are_two_readings() -> None:
    inbox = Inbox()
    connection = Connection(Login("127.0.0.1", 1, "", "", "test"), inbox, IngestFigures(), ManualClock(RECEIVED))
    for mid in (1, 2):
        connection._receive(M01, b'{"metrics":{"n":1}}', mid, False, False)
    first, second = inbox.take(2)
    assert second.received_us == first.received_us + 1
    for end in (connection._wake_r, connection._wake_w):
        end.close()
    connection._client.on_message = None
