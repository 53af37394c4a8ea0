"""Lists in, lists out: rules fed from small tables of device times and values."""

from collections.abc import Iterable
from typing import Any

from rules.book import RuleBook, evaluate, tick
from rules.engine import MINUTE_US, SECOND_US, Event, Raised, Rule
from rules.memory import Memory
from rules.parse import parse_definition
from rules.schedule import ALWAYS, Schedule

Values = dict[str, float | None] | dict[str, float] | dict[str, Any]
FACTORY = 1
DEVICE = 5
HOT: dict[str, Any] = {"parameter": "temp", "operator": "gt", "threshold": 80}


def rule(
    conditions: dict[str, Any] = HOT,
    *,
    rule_id: int = 10,
    cooldown_min: float = 0,
    devices: Iterable[int] | None = (DEVICE,),
    schedule: Schedule = ALWAYS,
) -> Rule:
    definition = parse_definition(conditions)
    return Rule(
        rule_id=rule_id,
        factory_id=FACTORY,
        name=f"Rule {rule_id}",
        severity="high",
        condition=definition.condition,
        schedule=schedule,
        cooldown_us=round(cooldown_min * MINUTE_US),
        device_ids=None if devices is None else frozenset(devices),
        clear=definition.clear,
        off_delay_us=definition.off_delay_us,
        auto_resolve=definition.auto_resolve,
    )


def usual(_device_id: int, _parameter: str, _weeks: int, _at_us: int) -> tuple[float, float]:
    """The baseline of everything: 70 +- 2."""
    return 70.0, 2.0


class Plant:
    """One rule book and its memory. Times are seconds."""

    def __init__(self, *rules: Rule) -> None:
        self.book, self.memory = RuleBook(rules), Memory()
        self.events: list[Event] = []
        """Of the last batch."""

    def arrive(self, *rows: tuple[float, Values], device: int = DEVICE, received_s: float | None = None) -> list[Raised]:
        """One batch: (device time, values by parameter) each; gives the alerts."""
        return [event for event in self.happened(*rows, device=device, received_s=received_s) if isinstance(event, Raised)]

    def happened(self, *rows: tuple[float, Values], device: int = DEVICE, received_s: float | None = None) -> list[Event]:
        """One batch: (device time, values by parameter) each; gives everything that happened."""
        readings = [
            (FACTORY, device, parameter, _us(at), _us(at if received_s is None else received_s), value)
            for at, values in rows
            for parameter, value in values.items()
        ]
        self.events = evaluate(self.book, self.memory, readings, baseline_at=usual)
        return self.events

    def readings(self, *rows: tuple[float, str, int, float]) -> list[Event]:
        """One batch of readings: device time, parameter, device, value."""
        found = [(FACTORY, device, parameter, _us(at), _us(at), value) for at, parameter, device, value in rows]
        return evaluate(self.book, self.memory, found, baseline_at=usual)

    def silence_until(self, at_s: float) -> list[Event]:
        """What happens until then although nothing arrives any more."""
        return tick(self.book, self.memory, _us(at_s), baseline_at=usual)

    def alert_times(self, *batches: list[tuple[float, Values]]) -> list[float]:
        """Device times in seconds of the alerts that the batches raise, in the order in which they are raised."""
        return [raised.at_us / SECOND_US for batch in batches for raised in self.arrive(*batch)]


def timeline(parameter: str, text: str, every_s: float = 60) -> list[list[tuple[float, Values]]]:
    """One message a batch from a row of values: `70 85 - 86`; `-` is a minute without a message."""
    return [[(i * every_s, {parameter: float(value)})] for i, value in enumerate(text.split()) if value != "-"]


def _us(seconds: float) -> int:
    return round(seconds * SECOND_US)
