"""One MQTT payload: what it holds, or why it is refused. Pure.

`{"timestamp": ISO 8601 or seconds or milliseconds since 1970, "metrics": {name: number}}`; the timestamp may be left out.
Almost every message is well-formed and takes the fast way through one msgspec call; the others are looked at value by value.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from ingest import reasons

MOST_BYTES: Final = 1 << 20
MOST_METRICS: Final = 2_000
LONGEST_PARAMETER: Final = 100
LONGEST_TEXT: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Numbers of this size and above are milliseconds (microseconds, nanoseconds): as seconds they would be after the year 5000.
_MILLISECONDS_FROM: Final = 1e11
_FARTHEST_US: Final = 1 << 60
_MOST_NAMED: Final = 5


class Telemetry(msgspec.Struct, gc=False):
    """A well-formed payload with numbers only. `timestamp` as it was sent; None when it was left out."""

    metrics: dict[str, float | bool]
    timestamp: datetime | int | float | None = None


decode_telemetry: Final = msgspec.json.Decoder(Telemetry).decode
"""The fast way; raises one of NOT_TELEMETRY for everything that `examine` must look at."""
# Integers as floats: 400 digits become infinity, which is refused as a value, instead of an error that costs the whole message.
_decode_careful: Final = json.JSONDecoder(parse_int=float).decode
NOT_TELEMETRY: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Complaint(NamedTuple):
    """What is wrong with a message or with some of its metrics."""

    reason: str
    detail: str


@dataclass(slots=True)
class Examined:
    """A payload that was looked at value by value. `timestamp_us` is None when the device sent none."""

    timestamp_us: int | None = None
    is_naive: bool = False
    """Whether the time came without a zone and was taken as UTC."""
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)


def microseconds(stamp: datetime | float) -> int:
    """A timestamp of a payload as microseconds since 1970 in UTC. A naive time counts as UTC; numbers by their size as s, ms, µs or ns.

    Numbers beyond all calendars are cut off, far in the future or in the past. Raises ValueError for NaN.
    """
    if isinstance(stamp, datetime):
        return ((stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    if math.isnan(stamp):
        raise ValueError("NaN is no time")
    size, scale = abs(stamp), 1_000_000.0
    while size >= _MILLISECONDS_FROM and scale > 0.001:
        size, scale = size / 1000, scale / 1000
    return round(max(-_FARTHEST_US, min(_FARTHEST_US, stamp * scale)))


def is_parameter(name: str) -> bool:
    """Whether a metric may have this name: printable, 1 to 100 characters, no blanks around it."""
    return 0 < len(name) <= LONGEST_PARAMETER and name.isprintable() and name == name.strip()


def examine(payload: bytes) -> Examined:
    """Looks at a payload value by value: keeps what is good and complains about the rest. Never raises.

    Of a name that appears twice the last value counts, as everywhere with JSON.
    """
    found = Examined()
    document = _object(payload, found)
    if document is None:
        return found
    metrics = document.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        said = "there is none" if "metrics" not in document else "it is empty" if metrics == {} else "it is not an object"
        found.complaints.append(Complaint(reasons.NO_METRICS, f'no values in "metrics": {said}'))
    elif len(metrics) > MOST_METRICS:
        found.complaints.append(Complaint(reasons.TOO_MANY_METRICS, f"{len(metrics)} metrics"))
    elif _read_timestamp(document.get("timestamp"), found):
        _sort_metrics(metrics, found)
    return found


def _object(payload: bytes, found: Examined) -> dict[str, Any] | None:
    if len(payload) > MOST_BYTES:
        found.complaints.append(Complaint(reasons.TOO_LARGE, f"{len(payload)} bytes"))
        return None
    try:
        document = _decode_careful(payload.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError as problem:
        found.complaints.append(Complaint(reasons.INVALID_UTF8, f"byte {problem.start}: {problem.reason}"))
    except RecursionError:
        found.complaints.append(Complaint(reasons.TOO_DEEP, "nested too deeply"))
    except ValueError as problem:
        found.complaints.append(Complaint(reasons.NOT_JSON, str(problem)[:300] if payload.strip() else "the payload is empty"))
    else:
        if isinstance(document, dict):
            return document
        found.complaints.append(Complaint(reasons.NOT_JSON, f"not an object but {_kind(document)}"))
    return None


def _read_timestamp(stamp: Any, found: Examined) -> bool:
    if stamp is None:
        return True
    try:
        if isinstance(stamp, str) and ("T" in stamp or " " in stamp or "t" in stamp):
            moment = datetime.fromisoformat(stamp.strip())
            found.timestamp_us, found.is_naive = microseconds(moment), moment.tzinfo is None
            return True
        if isinstance(stamp, float):
            found.timestamp_us = microseconds(stamp)
            return True
    except ValueError:
        pass  # said below
    found.complaints.append(Complaint(reasons.BAD_TIMESTAMP, f"not a time: {_shown(stamp)}"))
    return False


def _sort_metrics(metrics: dict[str, Any], found: Examined) -> None:
    bad: dict[str, list[tuple[str, Any]]] = {}
    for name, value in metrics.items():
        reason = _fault(name, value)
        if reason:
            bad.setdefault(reason, []).append((name, value))
        elif isinstance(value, str):
            found.texts[name] = value
        else:
            found.numbers[name] = float(value)
    for reason, named in bad.items():
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        shown = ", ".join(f"{_shown(name)}: {_shown(value)}" for name, value in named[:_MOST_NAMED])
        found.complaints.append(Complaint(reason, shown + more))


def _fault(name: str, value: Any) -> str:
    """Why a metric cannot be kept; empty when it can."""
    if not is_parameter(name):
        return reasons.BAD_PARAMETER
    if value is None:
        return reasons.NULL_VALUE
    if isinstance(value, str):
        return "" if _is_storable(value) else reasons.BAD_TEXT
    if isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return ""
    return reasons.NOT_A_NUMBER


def _is_storable(text: str) -> bool:
    # PostgreSQL keeps no NUL, and half a surrogate pair is no UTF-8.
    return len(text) <= LONGEST_TEXT and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _kind(value: Any) -> str:
    return {list: "an array", str: "a text", float: "a number", bool: "true or false"}.get(type(value), "null")


def _shown(value: Any) -> str:
    """A value for the detail of a dead letter: short, and printable whatever it holds."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    return ascii(value)[:80]
