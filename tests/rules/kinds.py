"""One example of each kind of condition with its timeline, for every way in which rules run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.rules.timelines import DEVICE, HOT

MIN = 60.0


@dataclass(frozen=True)
class Kind:
    """Rows of values, one a minute (`-`: no message), and what happens at which minute."""

    name: str
    document: dict[str, Any]
    rows: dict[str, str]
    """By parameter, or `device/parameter`."""
    events: str
    """`R` and `C` under the minutes; the number after an event that happens between two minutes or after the last one."""
    cooldown_min: float = 60
    later: tuple[tuple[str, float], ...] = field(default=())
    """Events that no message brings, with their minute."""

    @property
    def devices(self) -> set[int]:
        """The machines of the rule."""
        return {self._place(name)[0] for name in self.rows}

    @property
    def expected(self) -> list[tuple[str, float]]:
        """Event and minute, in order of time."""
        at_minutes = [(mark, float(minute)) for minute, mark in enumerate(self.events.split()) if mark != "-"]
        return sorted([*at_minutes, *self.later], key=lambda event: event[1])

    @property
    def ends_s(self) -> float:
        """When the observation ends."""
        return MIN * 30

    def messages(self) -> Iterator[tuple[float, int, dict[str, Any]]]:
        """Device time in seconds, device, values; in order."""
        cells = {self._place(name): row.split() for name, row in self.rows.items()}
        for minute in range(max(map(len, cells.values()))):
            for device in sorted(self.devices):
                values = {
                    p: _value(row[minute]) for (d, p), row in cells.items() if d == device and minute < len(row) and row[minute] != "-"
                }
                if values:
                    yield minute * MIN, device, values

    @staticmethod
    def _place(name: str) -> tuple[int, str]:
        device, slash, parameter = name.partition("/")
        return (int(device), parameter) if slash else (DEVICE, name)


def _value(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _and(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"operator": "AND", "conditions": list(conditions), **more}


VIBRATING = {"parameter": "vibration", "operator": "gt", "threshold": 5}
# fmt: off
KINDS = [
    Kind("comparison", HOT,
         {"temp": "70 85 86 79 70 85"},
         #        0  1  2  3  4  5
         events= "-  R  -  C  -  R", cooldown_min=2),
    Kind("between", {"parameter": "temp", "operator": "between", "low": 80, "high": 90},
         {"temp": "70 80 95 90 91"},
         events= "-  R  C  R  C", cooldown_min=0),
    Kind("outside", {"parameter": "temp", "operator": "outside", "low": 60, "high": 80},
         {"temp": "70 81 80 59 60"},
         events= "-  R  C  R  C", cooldown_min=0),
    Kind("held", {**HOT, "for_minutes": 3},
         {"temp": "70 85 86 79 85 85 85 85 85 70"},
         #        0  1  2  3  4  5  6  7  8  9
         events= "-  -  -  -  -  -  -  R  -  C"),
    Kind("held without a message", {**HOT, "for_minutes": 3},
         {"temp": "70 85 86 79 85"},
         events= "-  -  -  -  -", later=(("R", 7.0),)),
    Kind("a group that is held", _and(HOT, VIBRATING, for_minutes=2),
         {"temp":      "85 85 85 85 85 70",
          "vibration": "1  6  6  6  6  6"},
         events=       "-  -  -  R  -  C"),
    Kind("repeated", {**HOT, "repeat": {"times": 3, "within_minutes": 5}},
         {"temp": "85 70 85 70 85 85 70 70"},
         #        0  1  2  3  4  5  6  7      true at 4 (0, 2, 4), until the first of them is five minutes old
         events= "-  -  -  -  R  C  -  -"),
    Kind("rate", {"parameter": "temp", "aggregate": "rate", "window_minutes": 3, "operator": "gt", "threshold": 4},
         {"temp": "70 71 72 81 90 91 92 93"},
         #        0  1  2  3  4  5  6  7      (90-72)/2 = 9 at 4; (91-81)/2 = 5 at 5; (92-90)/2 = 1 at 6; (81-71)/2 = 5 at 3
         events= "-  -  -  R  -  -  C  -"),
    Kind("mean", {"parameter": "temp", "aggregate": "mean", "window_minutes": 3, "operator": "gt", "threshold": 80},
         {"temp": "70 90 80 85 60 70"},
         #        0  1  2  3  4  5        70, 80, 80, 85, 75
         events= "-  -  -  R  C  -"),
    Kind("min", {"parameter": "temp", "aggregate": "min", "window_minutes": 2, "operator": "gt", "threshold": 80},
         {"temp": "70 85 86 70"},
         events= "-  -  R  C"),
    Kind("max", {"parameter": "temp", "aggregate": "max", "window_minutes": 2, "operator": "lt", "threshold": 80},
         {"temp": "85 70 70 85"},
         events= "-  -  R  C"),
    Kind("stddev", {"parameter": "temp", "aggregate": "stddev", "window_minutes": 2, "operator": "gte", "threshold": 5},
         {"temp": "70 70 80 80 80"},
         events= "-  -  R  C  -"),
    Kind("count", {"parameter": "temp", "aggregate": "count", "window_minutes": 3, "operator": "gte", "threshold": 3},
         {"temp": "70 -  70 70 70 -  -  70"},
         #        0  1  2  3  4  5  6  7        (1,4] holds 2, 3, 4
         events= "-  -  -  -  R  -  -  C"),
    Kind("relation", {"parameter": "temp", "operator": "gt", "other_parameter": "setpoint", "offset": 5},
         {"temp":     "80 80 86 86 80",
          "setpoint": "-  80 -  90 -"},
         events=      "-  -  R  C  -"),
    Kind("baseline", {"parameter": "temp", "operator": "outside", "deviations": 3, "weeks": 4},
         {"temp": "70 75 77 70"},             # usual: 70 +- 2
         events= "-  -  R  C"),
    Kind("missing parameter", {"missing": "temp", "for_minutes": 4},
         {"temp": "70 70 -  -  -  -  70 70",
          "flow": "1  1  1  1  1  1  1  1"},
         events= "-  -  -  -  -  R  C  -", later=(("R", 11.0),), cooldown_min=1),
    Kind("missing device", {"missing": "*", "for_minutes": 4},
         {"temp": "70 -  70",
          "flow": "-  1  1  -  -  -  -  1"},
         events= "-  -  -  -  -  -  R  C", later=(("R", 11.0),), cooldown_min=1),
    Kind("text", {"parameter": "state", "operator": "eq", "text": "FAULT"},
         {"state": "RUN FAULT FAULT RUN 3"},
         events=   "-   R     -     C   -"),
    Kind("not text", {"parameter": "state", "operator": "neq", "text": "RUN"},
         {"state": "RUN FAULT RUN"},
         events=   "-   R     C"),
    Kind("quorum", {"at_least": 2, "condition": HOT},
         {"5/temp": "70 85 85 85 70",
          "6/temp": "70 70 85 85 85",
          "7/temp": "70 70 70 85 85"},
         events=    "-  -  R  -  -", later=()),
    Kind("not", {"operator": "NOT", "conditions": [HOT]},
         {"temp": "85 80 85"},
         events= "-  R  C"),
    Kind("deadband", {**HOT, "deadband": 5},
         {"temp": "70 81 78 76 75 78 81"},
         events= "-  R  -  -  C  -  R", cooldown_min=5),
    Kind("clear condition and off-delay",
         {"when": HOT, "clear": {"parameter": "temp", "operator": "lt", "threshold": 75}, "off_delay_minutes": 2, "auto_resolve": True},
         {"temp": "85 78 74 78 74 74 74 74"},
         events= "R  -  -  -  -  -  C  -"),
]
# fmt: on
