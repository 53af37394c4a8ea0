"""The alerts that the demo's rules would have raised on the generated history. Pure; works on whole pieces of history at once.

It is its own small evaluator because the house keeps `ingest` and `rules` apart, and because a piece has thousands of moments.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingest.simulator.demo_rules import DemoRule
from ingest.simulator.noise import Floats
from ingest.simulator.plant import PARAMETERS, Kind, Machine, Parameter, PlantFactory
from ingest.simulator.shifts import DAY_S, Flags, local_day, local_time_s
from ingest.simulator.simulation import Metrics

_COMPARE: dict[str, Callable[[Floats, float], Flags]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_WORDS = {"gt": "exceeded", "gte": "reached", "lt": "below", "lte": "at or below"}


@dataclass
class PastAlert:
    """An alert of the history. `over_s`: the last moment at which its condition still held (UTC epoch seconds)."""

    rule: DemoRule
    machine: Machine
    triggered_s: float
    over_s: float
    snapshot: dict[str, float]

    @property
    def message(self) -> str:
        """What was measured against which threshold, in words."""
        units = {parameter.key: parameter for parameter in PARAMETERS[self.machine.kind]}
        return " AND ".join(_sentences(self.rule.conditions, self.snapshot, units))


@dataclass
class Watch:
    """Evaluates the rules of one factory piece after piece; remembers cooldowns and alerts.

    While a condition holds, its alert recurs after each cooldown.
    """

    factory: PlantFactory
    rules: tuple[DemoRule, ...]
    alerts: list[PastAlert] = field(default_factory=list)
    _newest: dict[tuple[str, str], PastAlert] = field(default_factory=dict)

    def see(self, metrics: dict[Kind, Metrics]) -> None:
        """Takes the next piece of history."""
        for rule in self.rules:
            for found in metrics.values():
                if rule.kind in (None, found.kind) and _parameters(rule.conditions) <= {p.key for p in PARAMETERS[found.kind]}:
                    self._evaluate(rule, found)

    def _evaluate(self, rule: DemoRule, found: Metrics) -> None:
        keys = [parameter.key for parameter in PARAMETERS[found.kind]]
        open_now = _in_schedule(rule, self.factory, found.time_s)
        met = _holds(rule.conditions, found.values, keys) & ~found.silent & open_now[:, None]
        for column in np.flatnonzero(met.any(axis=0)).tolist():
            self._raise(rule, found, column, np.flatnonzero(met[:, column]))

    def _raise(self, rule: DemoRule, found: Metrics, column: int, moments: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        machine = found.machines[column]
        if machine.under_overhaul:
            return
        for index in moments.tolist():
            time_s, newest = float(found.time_s[index]), self._newest.get((rule.name, machine.device_key))
            if newest is None or time_s - newest.triggered_s >= rule.cooldown_minutes * 60:
                keys = [parameter.key for parameter in PARAMETERS[found.kind]]
                newest = PastAlert(rule, machine, time_s, time_s, dict(zip(keys, found.values[index, column].tolist(), strict=True)))
                self._newest[rule.name, machine.device_key] = newest
                self.alerts.append(newest)
            newest.over_s = time_s


def _leaves(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "conditions" not in tree:
        yield tree
    for child in tree.get("conditions", ()):
        yield from _leaves(child)


def _parameters(tree: dict[str, Any]) -> set[str]:
    return {leaf["parameter"] for leaf in _leaves(tree)}


def _holds(tree: dict[str, Any], values: Floats, keys: list[str]) -> Flags:
    """Whether the tree is true, shape (times, machines)."""
    if "conditions" in tree:
        parts = np.stack([_holds(child, values, keys) for child in tree["conditions"]])
        combined: Flags = np.all(parts, axis=0) if tree["operator"] == "AND" else np.any(parts, axis=0)
        return combined
    return _COMPARE[tree["operator"]](values[:, :, keys.index(tree["parameter"])], float(tree["threshold"]))


def _in_schedule(rule: DemoRule, factory: PlantFactory, time_s: Floats) -> Flags:
    kind, config = rule.schedule(factory)
    if kind == "always" or config is None:
        return np.ones(time_s.shape, dtype=np.bool_)
    local = local_time_s(time_s, factory.zone)
    weekday = (local_day(local) + 3) % 7 + 1
    start_s, end_s = (_clock_s(config[name]) for name in ("start_time", "end_time"))
    since_midnight_s = local % DAY_S
    return np.isin(weekday, config["days"]) & (since_midnight_s >= start_s) & (since_midnight_s < end_s)


def _clock_s(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _sentences(tree: dict[str, Any], snapshot: dict[str, float], parameters: dict[str, Parameter]) -> Iterator[str]:
    """One part for each comparison that holds, worded as `rules.messages` does (a test holds the two together)."""
    told = 0
    for leaf in _leaves(tree):
        parameter, measured = parameters[leaf["parameter"]], snapshot[leaf["parameter"]]
        if _COMPARE[leaf["operator"]](np.array(measured), leaf["threshold"]):
            name = parameter.display_name
            name = name[0].lower() + name[1:] if told else name
            told += 1
            limit = _with_unit(leaf["threshold"], parameter)
            yield f"{name} ({_with_unit(measured, parameter)}) {_WORDS[leaf['operator']]} threshold ({limit})"


def _with_unit(value: float, parameter: Parameter) -> str:
    number = f"{value:.{max(4, len(f'{abs(value):.0f}'))}g}"
    space = "" if not parameter.unit or parameter.unit[0] in "°%" else " "
    return f"{number}{space}{parameter.unit}"
