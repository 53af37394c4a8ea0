"""A machine that sends without end is cut; what piled up while something was away is not."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from ingest import dead_letters, reasons
from ingest.figures import IngestFigures
from ingest.flush import Incoming
from ingest.inbox import Inbox
from ingest.lander import Lander
from ingest.limits import WINDOW_S, DeviceLimits
from tests.ingest.conftest import add_devices
from tests.ingest.messages import M01, M02, RECEIVED, RETENTION, incoming
from tests.ingest.test_lander import count, landed
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.device_notes import notes_of
from warehouse.models.observations import RATE_LIMITED

KNOWN = {M01, M02}


def land_once(lander: Lander, messages: list[Incoming]) -> list[Incoming]:
    """Lands them as the ingester does; what was acknowledged."""
    inbox, stop, acknowledged = Inbox(), threading.Event(), list[Incoming]()
    for message in messages:
        inbox.put(message)

    def acknowledge(done: Sequence[Incoming]) -> None:
        acknowledged.extend(done)
        stop.set()

    lander.run(inbox, acknowledge, stop, 0.0)
    assert len(inbox) == 0
    return acknowledged


def flood(number: int, topic: str = M01) -> list[Incoming]:
    return [incoming({"metrics": {"n": n}}, topic) for n in range(number)]


def test_a_backlog_of_ten_minutes_passes_at_once_and_more_does_not() -> None:
    limits = DeviceLimits(1.0, lambda: 0.0)
    passed, excess = limits.admit(flood(int(WINDOW_S) + 5), KNOWN)
    assert (len(passed), excess[M01].count) == (600, 5)
    assert excess[M01].message.payload == b'{"metrics": {"n": 604}}'


def test_time_gives_room_again() -> None:
    now_s = 0.0
    limits = DeviceLimits(2.0, lambda: now_s)
    limits.admit(flood(1_200), KNOWN)
    now_s = 3.0
    assert [len(limits.admit(flood(10), KNOWN)[0]) for _ in range(2)] == [6, 0]


def test_other_machines_are_not_touched_and_keep_their_order() -> None:
    limits = DeviceLimits(0.01, lambda: 0.0)
    mixed = [message for pair in zip(flood(20), flood(5, M02) * 4, strict=True) for message in pair]
    passed, excess = limits.admit(mixed, {M01})
    assert [message for message in passed if message.topic == M02] == [message for message in mixed if message.topic == M02]
    assert excess[M01].count == 14


@pytest.mark.parametrize(("per_s", "known"), [(0.0, KNOWN), (0.01, set())])
def test_without_a_limit_and_for_strangers_everything_passes(per_s: float, known: set[str]) -> None:
    messages = flood(1_000)
    assert DeviceLimits(per_s, lambda: 0.0).admit(messages, known) == (messages, {})


def test_what_is_too_much_is_counted_shown_and_acknowledged(database: Database) -> None:
    ids = add_devices(database, "M01", "M02")
    clock = ManualClock(RECEIVED)
    lander = Lander(database, IngestFigures(), clock, RETENTION, limits=DeviceLimits(0.01))
    lander.registry.refresh(anyway=True)
    assert len(land_once(lander, flood(10) + flood(2, M02))) == 12
    assert sum(batch.message_count for batch in landed(database)) == 8
    assert count(lander, "rate_limited") == 4
    (letter,) = dead_letters.listed(database, reason=reasons.RATE_LIMITED)
    assert (letter.device_id, letter.detail) == (ids["M01"], "4 messages dropped, this is the last")
    clock.advance(timedelta(seconds=1))
    land_once(lander, flood(1, M02))
    (note,) = notes_of(database, letter.factory_id or 0)
    assert (note.device_key, note.kind, note.count) == ("M01", RATE_LIMITED, 4)


def test_an_inbox_is_emptied_also_when_all_is_too_much(database: Database) -> None:
    add_devices(database, "M01")
    lander = Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION, limits=DeviceLimits(0.0001))
    lander.registry.refresh(anyway=True)
    assert len(land_once(lander, flood(7))) == 7
    assert landed(database) == []
