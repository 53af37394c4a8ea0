"""Lists in, lists out: rules fed from small tables of device times and values."""

from collections.abc import Iterable
from typing import Any

from rules.book import RuleBook, evaluate
from rules.engine import MINUTE_US, SECOND_US, Raised, Rule
from rules.memory import Memory
from rules.parse import parse_condition
from rules.schedule import ALWAYS, Schedule

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
    return Rule(
        rule_id=rule_id,
        factory_id=FACTORY,
        name=f"Rule {rule_id}",
        severity="high",
        condition=parse_condition(conditions),
        schedule=schedule,
        cooldown_us=round(cooldown_min * MINUTE_US),
        device_ids=None if devices is None else frozenset(devices),
    )


class Plant:
    """One rule book and its memory. Times are seconds."""

    def __init__(self, *rules: Rule) -> None:
        self.book, self.memory = RuleBook(rules), Memory()

    def arrive(self, *rows: tuple[float, dict[str, float | None]], device: int = DEVICE, received_s: float | None = None) -> list[Raised]:
        """One batch: (device time, values by parameter) each."""
        readings = [
            (FACTORY, device, parameter, _us(at), _us(at if received_s is None else received_s), value)
            for at, values in rows
            for parameter, value in values.items()
        ]
        return evaluate(self.book, self.memory, readings)

    def alert_times(self, *batches: list[tuple[float, dict[str, float | None]]]) -> list[float]:
        """Device times in seconds of the alerts that the batches raise, in the order in which they are raised."""
        return [raised.at_us / SECOND_US for batch in batches for raised in self.arrive(*batch)]


def timeline(parameter: str, text: str, every_s: float = 60) -> list[list[tuple[float, dict[str, float | None]]]]:
    """One message a batch from a row of values: `70 85 - 86`; `-` is a minute without a message."""
    return [[(i * every_s, {parameter: float(value)})] for i, value in enumerate(text.split()) if value != "-"]


def _us(seconds: float) -> int:
    return round(seconds * SECOND_US)
