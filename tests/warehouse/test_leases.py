"""Leases: one holder at a time, taken over when it stops renewing."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.leases import Lease


def lease(db: Database, clock: ManualClock) -> Lease:
    return Lease(db, "evaluator", clock, ttl_s=1.5)


def test_one_contender_at_a_time(database: Database, manual_clock: ManualClock) -> None:
    one, other = lease(database, manual_clock), lease(database, manual_clock)
    assert (one.acquire(), other.acquire(), one.is_held, other.is_held) == (True, False, True, False)


def test_a_lease_that_was_given_back_is_free_at_once(database: Database, manual_clock: ManualClock) -> None:
    one, other = lease(database, manual_clock), lease(database, manual_clock)
    one.acquire()
    one.release()
    assert other.acquire()


def test_a_lease_of_a_dead_holder_is_free_after_its_time(database: Database, manual_clock: ManualClock) -> None:
    one, other = lease(database, manual_clock), lease(database, manual_clock)
    one.acquire()
    manual_clock.advance(timedelta(seconds=1.49))
    assert not other.acquire()
    manual_clock.advance(timedelta(seconds=0.01))
    assert other.acquire()


def test_a_renewed_lease_stays(database: Database, manual_clock: ManualClock) -> None:
    one, other = lease(database, manual_clock), lease(database, manual_clock)
    one.acquire()
    for _ in range(10):
        manual_clock.advance(timedelta(seconds=0.6))
        one.keep()
        assert not other.acquire()


def test_a_holder_that_was_too_slow_learns_that_it_lost_the_lease(database: Database, manual_clock: ManualClock) -> None:
    one, other = lease(database, manual_clock), lease(database, manual_clock)
    one.acquire()
    manual_clock.advance(timedelta(seconds=2))
    other.acquire()
    with pytest.raises(LeaseLostError):
        one.keep()
    assert not one.is_held
    one.release()  # not ours: must not end the other's
    assert not lease(database, manual_clock).acquire()


def test_a_slow_holder_may_go_on_when_nobody_took_over(database: Database, manual_clock: ManualClock) -> None:
    one = lease(database, manual_clock)
    one.acquire()
    manual_clock.advance(timedelta(seconds=60))
    one.keep()
    assert not lease(database, manual_clock).acquire()


def test_a_patient_contender_takes_only_what_was_free_for_a_while(database: Database, manual_clock: ManualClock) -> None:
    one, standby = lease(database, manual_clock), lease(database, manual_clock)
    one.acquire()
    one.release()
    manual_clock.advance(timedelta(seconds=0.9))
    assert not standby.acquire(free_for=timedelta(seconds=1))
    manual_clock.advance(timedelta(seconds=0.1))
    assert standby.acquire(free_for=timedelta(seconds=1))


def test_leases_of_different_names_do_not_meet(database: Database, manual_clock: ManualClock) -> None:
    assert Lease(database, "evaluator", manual_clock).acquire()
    assert Lease(database, "maintenance", manual_clock).acquire()


def test_who_holds_a_lease_can_be_read(database: Database, manual_clock: ManualClock) -> None:
    one = lease(database, manual_clock)
    assert one.read() is None
    one.acquire()
    info = one.read()
    assert info is not None
    assert (info.holder, info.expires_at) == (one.holder, manual_clock.now() + timedelta(seconds=1.5))


def test_of_many_contenders_at_the_same_moment_one_wins(database: Database, manual_clock: ManualClock) -> None:
    barrier, won = Barrier(8), []

    def contend() -> None:
        mine = lease(database, manual_clock)
        barrier.wait()
        if mine.acquire():
            won.append(mine)

    threads = [Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
