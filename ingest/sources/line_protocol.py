r"""One line of InfluxDB's line protocol, with every escape that it has. Pure.

    measurement,tag=value,tag=value field=1.5,count=3i,note="said \"so\"",on=t 1767571200000000000

Blanks, commas and equal signs are escaped with a backslash outside of quotes; in a quoted text only the quote and the backslash are.
"""

from dataclasses import dataclass
from typing import Final

DEVICE_TAGS: Final = ("device", "device_key", "machine", "machine_id", "device_id", "asset", "equipment", "host")
TRUTHS: Final = {"t": 1.0, "T": 1.0, "true": 1.0, "True": 1.0, "TRUE": 1.0, "f": 0.0, "F": 0.0, "false": 0.0, "False": 0.0, "FALSE": 0.0}


@dataclass(frozen=True)
class Point:
    """What a line says."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | str]
    stamp: int | None
    """As it stands there; its unit is the file's."""


def parse_line(line: str) -> Point:
    """Raises ValueError, saying what is wrong, for a line that is none."""
    parts = [part for part in _split(line.strip(), " ", quotes=True) if part]
    if len(parts) not in {2, 3}:
        raise ValueError(f"{len(parts)} parts instead of measurement, fields and time")
    series = _split(parts[0], ",", quotes=False)
    tags = dict(_pair(tag, quotes=False) for tag in series[1:])
    fields = {_plain(name): _value(raw) for name, raw in (_pair(field, quotes=True) for field in _split(parts[1], ",", quotes=True))}
    stamp = int(parts[2]) if len(parts) == 3 else None
    return Point(_plain(series[0]), {_plain(name): _plain(value) for name, value in tags.items()}, fields, stamp)


def device_of(point: Point, tag: str = "") -> str:
    """The machine: the tag that is named, else the first known one; empty when there is none."""
    return next((point.tags[name] for name in ((tag,) if tag else DEVICE_TAGS) if name in point.tags), "")


def parameter_of(measurement: str, field: str) -> str:
    """What we call a field: its name, and the measurement's for the field that everybody calls `value`."""
    return measurement if field == "value" else field


def _split(text: str, at: str, *, quotes: bool) -> list[str]:
    """Splits where `at` is neither escaped nor, with `quotes`, inside of quotes. Raises ValueError for a quote that stays open."""
    parts, begin, position, quoted = [], 0, 0, False
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 1
        elif sign == '"' and quotes:
            quoted = not quoted
        elif sign == at and not quoted:
            parts.append(text[begin:position])
            begin = position + 1
        position += 1
    if quoted:
        raise ValueError("a quote stays open")
    return [*parts, text[begin:]]


def _pair(text: str, *, quotes: bool) -> tuple[str, str]:
    name, equals, value = text, "", ""
    parts = _split(text, "=", quotes=quotes)
    if len(parts) > 1:
        name, equals, value = parts[0], "=", text[len(parts[0]) + 1 :]
    if not equals or not name or not value:
        raise ValueError(f"not name=value: {text[:60]}")
    return name, value


def _value(raw: str) -> float | str:
    if raw[0] == '"':
        if len(raw) < 2 or raw[-1] != '"':
            raise ValueError(f"text behind a quote: {raw[:60]}")
        return raw[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if raw in TRUTHS:
        return TRUTHS[raw]
    return float(raw[:-1] if raw[-1] in "iu" else raw)


def _plain(text: str) -> str:
    for escaped in (",", "=", " "):
        text = text.replace(f"\\{escaped}", escaped)
    return text
