"""The landing log keeps every batch, in one order, until every consumer has passed it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import select

from tests.warehouse.frames import START, readings
from warehouse import landing
from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.models.streams import LandingBatch
from warehouse.tenancy import system_session

BATCH = readings((1, "power", 0, 745.6), (1, "voltage", 0, 231.4))


def _append(database: Database, landed_at: object = START) -> int:
    with system_session(database, "append in a test", write=True) as session:
        return landing.append(session, BATCH, 1, landed_at)  # type: ignore[arg-type]


def test_a_batch_comes_back_as_it_was_appended(database: Database) -> None:
    position = _append(database)
    with system_session(database, "read in a test") as session:
        (batch,) = landing.read_after(session, 0)
    assert (batch.position, batch.message_count, batch.landed_at) == (position, 1, START)
    assert_frame_equal(batch.readings, BATCH)


def test_batches_are_read_in_order_and_in_portions(database: Database) -> None:
    positions = [_append(database) for _ in range(5)]
    with system_session(database, "read in a test") as session:
        assert [batch.position for batch in landing.read_after(session, positions[1], limit=2)] == positions[2:4]
        assert landing.head(session) == positions[-1]


def test_an_append_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), system_session(database, "append in a test", write=True) as session:
        landing.append(session, BATCH, 1, START)
        raise RuntimeError
    with system_session(database, "read in a test") as session:
        assert landing.read_after(session, 0) == []


def test_positions_are_never_given_out_twice(database: Database) -> None:
    first = _append(database)
    with system_session(database, "trim in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 0, first)
        assert landing.trim(session, START + timedelta(hours=1), ["evaluator"], lake_position=first) == 1
    assert _append(database) > first


def test_a_cursor_moves_only_from_where_it_stands(database: Database) -> None:
    with system_session(database, "move in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 0, 3, b"state")
        landing.move_cursor(session, "evaluator", 3, 5)
        assert landing.cursor(session, "evaluator") == 5
    with pytest.raises(LeaseLostError), system_session(database, "move in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 3, 6)
    with pytest.raises(LeaseLostError), system_session(database, "move in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 0, 6)


@pytest.mark.parametrize(
    ("evaluator", "loader", "deleted"),
    [(0, 3, 0), (3, 0, 0), (1, 3, 1), (3, 2, 2), (3, 3, 2)],
    ids=["evaluator never ran", "loader never ran", "evaluator behind", "loader behind", "the newest is too young"],
)
def test_trim_takes_only_old_batches_behind_every_consumer(database: Database, evaluator: int, loader: int, deleted: int) -> None:
    positions = [_append(database, START), _append(database, START), _append(database, START + timedelta(hours=2))]
    place = lambda passed: positions[passed - 1] if passed else 0  # noqa: E731
    with system_session(database, "trim in a test", write=True) as session:
        if evaluator:
            landing.move_cursor(session, "evaluator", 0, place(evaluator))
        assert landing.trim(session, START + timedelta(hours=1), ["evaluator"], lake_position=place(loader)) == deleted


@pytest.mark.slow
@pytest.mark.postgres
def test_an_append_whose_commit_is_slow_is_not_overtaken(postgresql_database: Database) -> None:
    """The one that began first gets the smaller position; were the second visible before it, a consumer would miss the first."""
    database, order = postgresql_database, list[str]()
    has_appended, may_commit = threading.Event(), threading.Event()

    def slow() -> int:
        with system_session(database, "append slowly in a test", write=True) as session:
            position = landing.append(session, BATCH, 1, START)
            has_appended.set()
            assert may_commit.wait(20)
            order.append("slow")
        return position

    def quick() -> int:
        assert has_appended.wait(20)
        position = _append(database)
        order.append("quick")
        return position

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(slow), pool.submit(quick)
        assert has_appended.wait(20)
        _, waiting = wait([second], timeout=0.5)
        assert second in waiting
        assert _positions(database) == []
        may_commit.set()
        positions = [first.result(20), second.result(20)]
    assert order == ["slow", "quick"]
    assert _positions(database) == positions == sorted(positions)


@pytest.mark.slow
@pytest.mark.postgres
def test_commits_delayed_at_random_leave_no_gap_for_a_follower(postgresql_database: Database) -> None:
    database, seen = postgresql_database, list[int]()

    def delayed(number: int) -> None:
        with system_session(database, "append in a test", write=True) as session:
            landing.append(session, BATCH, 1, START)
            time.sleep((number * 7 % 5) / 200)
            if number % 6 == 5:
                raise RuntimeError("rolled back")

    def follow() -> None:
        while len(seen) < 30:
            with system_session(database, "follow in a test") as session:
                seen.extend(batch.position for batch in landing.read_after(session, seen[-1] if seen else 0))

    with ThreadPoolExecutor(5) as pool:
        follower = pool.submit(follow)
        failed = [appended.exception() is not None for appended in [pool.submit(delayed, number) for number in range(36)]]
        follower.result(timeout=30)
    assert failed.count(True) == 6
    assert seen == _positions(database)


def _positions(database: Database) -> list[int]:
    with system_session(database, "read in a test") as session:
        return [batch.position for batch in landing.read_after(session, 0)]


def test_the_size_of_the_log_is_known(database: Database) -> None:
    for hours in (0, 1):
        _append(database, START + timedelta(hours=hours))
    with system_session(database, "read in a test") as session:
        size = landing.size(session)
        stored = sum(len(payload) for payload in session.scalars(select(LandingBatch.payload)))
    assert (size.batches, size.bytes, size.oldest) == (2, stored, START)


def test_appends_of_several_ingesters_become_visible_in_their_order(database: Database) -> None:
    seen: list[int] = []

    def follow() -> None:
        while len(seen) < 40:
            with system_session(database, "follow in a test") as session:
                seen.extend(batch.position for batch in landing.read_after(session, seen[-1] if seen else 0))

    with ThreadPoolExecutor(5) as pool:
        follower = pool.submit(follow)
        for appended in [pool.submit(_append, database) for _ in range(40)]:
            appended.result()
        follower.result(timeout=30)
    assert seen == sorted(set(seen))
    assert len(seen) == 40
