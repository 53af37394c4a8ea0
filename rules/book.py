"""The active rules, arranged so that a reading only touches the rules that watch it, and the loop that runs them. I/O-free."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from rules.engine import QUIET, Moment, Raised, Rule, step
from rules.memory import DeviceMemory, Memory

_MOST_REMEMBERED_LOOKUPS: Final = 200_000
# factory, device, parameter, device time and receive time in microseconds since 1970 UTC, value (None: a text).
Reading = tuple[int, int, str, int, int, float | None]
_Key = tuple[int, int, tuple[str, ...]]


class RuleBook:
    """Rules by what they watch."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.rule_id))
        self._of_device: dict[tuple[int, str], list[Rule]] = defaultdict(list)
        self._of_factory: dict[tuple[int, str], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            for parameter in rule.parameters:
                if rule.device_ids is None:
                    self._of_factory[rule.factory_id, parameter].append(rule)
                for device_id in rule.device_ids or ():
                    self._of_device[device_id, parameter].append(rule)
        self._found: dict[_Key, tuple[Rule, ...]] = {}

    def watches(self, factory_id: int, device_id: int, parameter: str) -> bool:
        """True when a rule reads this parameter of this device."""
        return (device_id, parameter) in self._of_device or (factory_id, parameter) in self._of_factory

    def watched_parameters(self) -> frozenset[str]:
        """Every parameter that any rule reads."""
        return frozenset(parameter for rule in self.rules for parameter in rule.parameters)

    def rules_for(self, factory_id: int, device_id: int, parameters: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules to look at when these parameters of this device arrive, by id."""
        key = (factory_id, device_id, parameters)
        found = self._found.get(key)
        if found is None:
            if len(self._found) > _MOST_REMEMBERED_LOOKUPS:
                self._found.clear()
            found = self._found[key] = self._look_up(factory_id, device_id, parameters)
        return found

    def _look_up(self, factory_id: int, device_id: int, parameters: tuple[str, ...]) -> tuple[Rule, ...]:
        found = {
            rule.rule_id: rule
            for parameter in parameters
            for rule in (*self._of_device.get((device_id, parameter), ()), *self._of_factory.get((factory_id, parameter), ()))
            # A device that a rule names must be of the rule's factory.
            if rule.factory_id == factory_id
        }
        return tuple(found[rule_id] for rule_id in sorted(found))


def evaluate(book: RuleBook, memory: Memory, readings: Iterable[Reading]) -> list[Raised]:
    """Takes one batch of readings into `memory` and evaluates the rules that watch them, in device-time order; gives what they raised.

    Readings of one device and one device time are one moment: all of them are known before the first rule looks. A late moment is
    evaluated as of its own time, and so are the later moments that its values change.
    """
    raised: list[Raised] = []
    for (at_us, device_id), (factory_id, received_us, values) in sorted(_moments(book, readings).items()):
        accepted, in_order = memory.learn(device_id, at_us, values, received_us)
        if not accepted:
            continue
        rules, device = book.rules_for(factory_id, device_id, tuple(accepted)), memory.devices[device_id]
        if in_order:
            _run(rules, memory, Moment(device_id, at_us, device.current), raised)
        else:
            _run_again(rules, memory, device, device_id, at_us, raised)
    return raised


def remember(book: RuleBook, memory: Memory, readings: Iterable[Reading]) -> None:
    """As `evaluate`, but no rule is run: brings `memory` to where it was when the alerts of this batch were already recorded."""
    for (at_us, device_id), (_, received_us, values) in sorted(_moments(book, readings).items()):
        memory.learn(device_id, at_us, values, received_us)


def _moments(book: RuleBook, readings: Iterable[Reading]) -> dict[tuple[int, int], tuple[int, int, dict[str, float | None]]]:
    """Watched readings by device time and device: factory, receive time, values. Of two readings with one key the first one counts."""
    moments: dict[tuple[int, int], tuple[int, int, dict[str, float | None]]] = {}
    of_device, of_factory = book._of_device, book._of_factory  # noqa: SLF001  # the innermost loop: a call for each reading would double it
    for factory_id, device_id, parameter, at_us, received_us, value in readings:
        if (device_id, parameter) not in of_device and (factory_id, parameter) not in of_factory:
            continue
        moment = moments.get((at_us, device_id))
        if moment is None:
            moments[at_us, device_id] = (factory_id, received_us, {parameter: value})
        else:
            moment[2].setdefault(parameter, value)
    return moments


def _run(rules: Iterable[Rule], memory: Memory, moment: Moment, raised: list[Raised]) -> None:
    states, device_id = memory.states, moment.device_id
    for rule in rules:
        state = states.get((rule.rule_id, device_id), QUIET)
        after, found = step(rule, state, moment)
        if found:
            states[rule.rule_id, device_id] = after
            raised.extend(found)


def _run_again(rules: Iterable[Rule], memory: Memory, device: DeviceMemory, device_id: int, at_us: int, raised: list[Raised]) -> None:
    for rule in rules:
        for moment_us in device.moments_from(at_us, rule.parameters):
            _run((rule,), memory, Moment(device_id, moment_us, device.values_at(moment_us, rule.parameters)), raised)
