"""When messages without a time of their own were first received, so that one that comes again does not count twice.

A message without a time stamp gets the moment of its receipt. Should the ingester die after it landed and before the broker knew, the
broker sends it again: marked as a repeat, under the same message id. Then it gets the moment of its first receipt, which is kept with its
batch in the landing log, and is dropped like any other repeat.

What a device itself sends twice, without a time stamp, are two messages: nothing tells them from two measurements of the same value.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from ingest.flush import Incoming

MOST_SINCE: Final = 40_000
"""Landed messages after which an id is too old to be meant. Brokers have at most 20,000 messages under way to us and give ids out in
order, so the 65,535 ids come round after 45,535 more messages at the earliest."""
READ_BACK_BATCHES: Final = 2_000
"""How far a start looks back: what landed and was not acknowledged is in the last batches."""


class Receipt(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One landed message without a time stamp."""

    mid: int
    fingerprint: bytes
    received_us: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Receipt]).decode


class Receipts:
    """What one ingester remembers of its own; for one thread. `learn` only what is durable."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Receipt]] = {}
        self._landed = 0

    def first_received_us(self, message: Incoming) -> int:
        """The moment to use for a message without a time stamp, in microseconds since 1970."""
        if not message.repeated or message.mid not in self._known:
            return message.received_us
        number, receipt = self._known[message.mid]
        if self._landed - number > MOST_SINCE or receipt.fingerprint != fingerprint(message):
            return message.received_us
        return receipt.received_us

    def learn(self, receipts: Iterable[Receipt], messages: int) -> None:
        """Remembers what landed: its receipts, and how many messages it were in all."""
        self._landed += messages
        for receipt in receipts:
            self._known[receipt.mid] = (self._landed, receipt)


def receipts_of(messages: Iterable[tuple[Incoming, int]]) -> list[Receipt]:
    """The receipts of messages without a time stamp, each with the moment that it got. Those of QoS 0 never come again."""
    return [Receipt(message.mid, fingerprint(message), moment_us) for message, moment_us in messages if message.mid]


def fingerprint(message: Incoming) -> bytes:
    """Eight bytes that tell messages of one id apart."""
    return blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=8).digest()


def packed(receipts: Sequence[Receipt]) -> bytes | None:
    """As the landing log keeps them; None for none."""
    return _encode(list(receipts)) if receipts else None


def unpacked(stored: bytes) -> list[Receipt]:
    """What `packed` made."""
    return _decode(stored)
