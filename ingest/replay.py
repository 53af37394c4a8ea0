"""Dead letters taken in once more, after what was wrong has been mended: the device registered, the retention raised, our code corrected.

A letter lands with the time of its first receipt, so that replaying it twice, or what its device sent again meanwhile, counts once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest import reasons
from ingest.figures import IngestFigures
from ingest.flush import FlushDecoder, Incoming
from ingest.lander import Lander
from ingest.registry import Registry
from ingest.topics import telemetry_topic
from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.dead_letters import Choice, chosen, how_many, ids_of, mark_replayed
from warehouse.models.streams import DeadLetter
from warehouse.tenancy import system_session

BATCH: Final = 200
"""Letters at a time; with payloads of 64 KiB they take 13 MB."""
CUT: Final = "cut"
"""Why a letter stays whose payload was not kept whole."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Replayed:
    """What a replay did."""

    accepted: int = 0
    still_refused: Counter[str] = field(default_factory=Counter)
    """Letters that stay, by reason; `cut` for those whose payload was longer than what is kept."""


@dataclass(frozen=True)
class Waiting:
    """What a device sent before it was registered."""

    messages: int
    first_at: datetime | None
    last_at: datetime | None


def waiting(db: Database, slug: str, device_key: str) -> Waiting:
    """The letters that registering this device makes good; to be offered to who registers it."""
    return Waiting(*how_many(db, _of_stranger(slug, device_key)))


def replay_stranger(
    db: Database, clock: Clock, raw_retention: timedelta, slug: str, device_key: str, actor: Actor | None = None
) -> Replayed:
    """Takes in what `waiting` counted."""
    return replay(db, clock, raw_retention, _of_stranger(slug, device_key), actor)


def replay(db: Database, clock: Clock, raw_retention: timedelta, choice: Choice, actor: Actor | None = None) -> Replayed:
    """Takes in the chosen letters, the oldest first. What is still refused stays a letter, with its first reason."""
    ids = ids_of(db, replace(choice, with_replayed=False))
    done = _replay(db, clock, raw_retention, ids)
    if actor is not None:
        facts = {"accepted": done.accepted, "still_refused": dict(done.still_refused)}
        with system_session(db, "audit a replay", write=True) as session:
            append(session, "dead_letter.replay", "dead_letters", clock.now(), actor, after=facts)
    return done


def _of_stranger(slug: str, device_key: str) -> Choice:
    # By topic: while the factory was unknown as well, a letter belongs to none.
    return Choice(topic=telemetry_topic(slug, device_key), reasons=(reasons.UNKNOWN_DEVICE, reasons.UNKNOWN_FACTORY))


def _replay(db: Database, clock: Clock, raw_retention: timedelta, ids: Sequence[int]) -> Replayed:
    lander = Lander(db, IngestFigures(), clock, raw_retention)
    lander.registry.refresh(anyway=True)
    decoder, accepted, refused = FlushDecoder(raw_retention), 0, Counter[str]()
    for begin in range(0, len(ids), BATCH):
        letters = chosen(db, Choice(ids=ids[begin : begin + BATCH]), limit=BATCH)
        good: list[tuple[int, Incoming]] = []
        for letter in reversed(letters):
            message = _message(letter)
            if problem := _problem(decoder, lander.registry, letter, message):
                refused[problem] += 1
            else:
                good.append((letter.id, message))
        if good:
            lander.land([message for _, message in good])
            mark_replayed(db, [letter_id for letter_id, _ in good], clock.now())
        accepted += len(good)
    return Replayed(accepted, refused)


def _message(letter: DeadLetter) -> Incoming:
    received_us = (letter.received_at - _EPOCH) // timedelta(microseconds=1)
    return Incoming(letter.topic, letter.payload, received_us, retained=letter.reason == reasons.RETAINED)


def _problem(decoder: FlushDecoder, registry: Registry, letter: DeadLetter, message: Incoming) -> str:
    """Why a letter must stay; empty when something of it can be taken in and what it was refused for is gone."""
    if letter.payload_size > len(letter.payload):
        return CUT
    decoded = decoder.decode([message], registry.directory)
    found = [again.reason for again in decoded.letters]
    if letter.reason in found or not decoded.readings.height:
        return found[0]
    return ""
