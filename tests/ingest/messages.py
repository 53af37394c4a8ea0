"""Messages for tests of what becomes of them."""

import json
from datetime import UTC, datetime, timedelta

from ingest.directory import Directory, Place
from ingest.flush import Decoded, FlushDecoder, Incoming

RECEIVED = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RETENTION = timedelta(days=30)
M01 = "factories/vpc/devices/M01/telemetry"
M02 = "factories/vpc/devices/M02/telemetry"
DIRECTORY = Directory(
    places={M01: Place(1, 11), M02: Place(1, 12)},
    inactive={"factories/vpc/devices/OLD/telemetry": Place(1, 13)},
    factories={"vpc": 1, "empty": 2},
)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def incoming(payload: bytes | dict, topic: str = M01, *, received: datetime = RECEIVED, retained: bool = False, mid: int = 0) -> Incoming:
    """A message; dictionaries become JSON."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Incoming(topic, body, microseconds(received), retained, mid)


def decode(*messages: Incoming) -> Decoded:
    return FlushDecoder(RETENTION).decode(messages, DIRECTORY)


def reasons_of(decoded: Decoded) -> list[str]:
    return [letter.reason for letter in decoded.letters]


def values_of(decoded: Decoded) -> dict[str, float | str | None]:
    """Value or text by parameter."""
    return {row["parameter"]: row["value"] if row["text"] is None else row["text"] for row in decoded.readings.iter_rows(named=True)}
