"""A finding, and how the copilot writes numbers, moments and links; pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Finding:
    """One sentence and what proves it."""

    kind: str
    """attention, changed, anomaly, together, waste, downtime, forecast or calm."""
    sentence: str
    facts: dict[str, float | int | str]
    """Every number of the sentence, by what it is, as it was measured."""
    links: tuple[tuple[str, str], ...]
    """Words and path of the pages that show it."""
    machines: tuple[str, ...] = ()
    weight: float = 0.0
    """The heaviest comes first."""

    def as_json(self) -> dict[str, Any]:
        """For the result of a job."""
        links = [{"words": words, "path": path} for words, path in self.links]
        return {"kind": self.kind, "sentence": self.sentence, "facts": self.facts, "links": links, "machines": list(self.machines)}


@dataclass(frozen=True)
class Clock:
    """Moments on the factory's clock."""

    timezone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.timezone))

    def at(self, moment: datetime) -> str:
        """Such as `9 Nov 14:05`."""
        return f"{moment.astimezone(self._zone):%-d %b %H:%M}"


def num(value: float) -> str:
    """Three significant digits, whole numbers from 100 up, a real minus."""
    size = abs(float(f"{value:.3g}"))
    if size == 0:
        return "0"
    places = 3 if size < 0.1 else 2 if size < 10 else 1 if size < 100 else 0
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return ("0" if text in {"-0", ""} else text).replace("-", "−")


def with_unit(value: float, unit: str) -> str:
    """A number with its unit."""
    return f"{num(value)} {unit}".rstrip()


def counted(number: int, noun: str, many: str = "") -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def machine_link(key: str) -> tuple[str, str]:
    """The page of a machine."""
    return key, f"/machine?device={quote(key, safe='')}"


def alerts_link(key: str) -> tuple[str, str]:
    """The alerts of a machine, resolved ones too."""
    return f"alerts of {key}", f"/alerts?status=all&machine={quote(key, safe='')}"


def alert_link(alert_id: int) -> tuple[str, str]:
    """One alert."""
    return f"alert {alert_id}", f"/alerts?id={alert_id}"


ENERGY_LINK = ("energy", "/energy")
AVAILABILITY_LINK = ("availability", "/availability")
ANALYTICS_LINK = ("analyses", "/analytics")
