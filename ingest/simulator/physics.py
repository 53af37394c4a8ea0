"""The engine of the simulation: lags and counters that carry state from one moment to the next.

The same code serves a day of history and one live second. Everything else (duty, weather, faults, noise) is a function of time, so the
state is small, and a plant that starts anywhere agrees with one that has been running: `Simulation.warm_state`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from ingest.simulator.noise import Floats, Ints, gauss, seeds_of, smooth
from ingest.simulator.plant import Machine, PlantFactory

_BLOCK = 240


@dataclass(frozen=True)
class State:
    """The plant's memory at `time_s` (UTC epoch seconds): one array (one value a machine) for each named lag or counter."""

    time_s: float
    values: Mapping[str, Floats]


EMPTY = MappingProxyType[str, Floats]({})


@lru_cache(maxsize=256)
def _response(step_s: float, tau_s: float) -> tuple[Floats, Floats]:
    """Of a first-order lag: how a start value decays over a block of steps, and the block's lower triangular response to its inputs."""
    keep = np.exp(-step_s / tau_s)
    age = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
    response = np.where(age >= 0, (1.0 - keep) * keep ** np.maximum(age, 0), 0.0)
    return keep ** np.arange(1, _BLOCK + 1), response


def first_order(start: Floats, target: Floats, first_step_s: float, step_s: float, tau_s: float) -> Floats:
    """A first-order lag: `tau_s` after a step of `target`, 63 % of it has arrived.

    `start`: values before the first step, shape (machines,); `target`: shape (times, machines), held over each step.
    The first step may differ in length from the rest.
    """
    out = np.empty_like(target)
    out[0] = target[0] + (start - target[0]) * np.exp(-first_step_s / tau_s)
    decay, response = _response(step_s, tau_s) if len(target) > 1 else (None, None)
    for begin in range(1, len(target), _BLOCK):
        size = min(_BLOCK, len(target) - begin)
        assert decay is not None and response is not None  # noqa: S101 PT018 (there is more than one step here)
        out[begin : begin + size] = decay[:size, None] * out[begin - 1] + response[:size, :size] @ target[begin : begin + size]
    return out


def counted(carried: Floats, amounts: Floats, period: Ints) -> Floats:
    """Running totals that restart at zero whenever `period` changes.

    `amounts`: what each step adds, shape (times, machines), never negative. `period`: shape (1 + times,), where the first
    belongs to the moment before the first step.
    """
    totals = carried + np.cumsum(amounts, axis=0)
    before = np.concatenate([carried[None, :], totals[:-1]])
    changed = (period[1:] != period[:-1])[:, None]
    return totals - np.maximum.accumulate(np.where(changed, before, 0.0), axis=0)


class Tape:
    """What the formulas of one kind need over a stretch of time: time axis, state, noise. Collects the state for afterwards."""

    def __init__(self, factory: PlantFactory, machines: tuple[Machine, ...], time_s: Floats, state: State) -> None:
        """`time_s` is evenly spaced and later than the state."""
        self.time_s, self.machines = time_s, machines
        self.rated_w = np.array([machine.rated_w for machine in machines])
        self.after: dict[str, Floats] = {}
        self._names = tuple(f"{factory.slug}/{machine.device_key}" for machine in machines)
        self._label = machines[0].kind.name.lower()
        self._before = state.values
        self._first_step_s = float(time_s[0] - state.time_s)
        self._step_s = float(time_s[1] - time_s[0]) if len(time_s) > 1 else self._first_step_s
        self._millisecond = np.rint(time_s * 1000.0).astype(np.int64)[:, None]

    @property
    def steps_s(self) -> Floats:
        """The length of each step in seconds, shape (times, 1)."""
        steps = np.full((len(self.time_s), 1), self._step_s)
        steps[0] = self._first_step_s
        return steps

    def lag(self, name: str, target: Floats, tau_s: float) -> Floats:
        """`target` followed with a first-order lag. A lag without a past starts at its target."""
        key = f"{self._label}.{name}"
        out = first_order(self._before.get(key, target[0]), target, self._first_step_s, self._step_s, tau_s)
        self.after[key] = out[-1]
        return out

    def count(self, name: str, rate_per_s: Floats, period: Ints) -> Floats:
        """The integral of a rate, restarted when `period` changes; the integral up to now, not rounded."""
        key = f"{self._label}.{name}"
        out = counted(self._before.get(key, np.zeros(len(self.machines))), rate_per_s * self.steps_s, period)
        self.after[key] = out[-1]
        return out

    def noise(self, topic: str) -> Floats:
        """Sensor noise: standard deviation 1, never beyond 3.5; shape (times, machines)."""
        return gauss(_seeds(self._names, topic), self._millisecond)

    def wander(self, topic: str, period_s: float) -> Floats:
        """A slow curve between -0.5 and 0.5; shape (times, machines)."""
        return smooth(_seeds(self._names, topic), self.time_s[:, None], period_s) - 0.5

    def trait(self, topic: str) -> Floats:
        """A fixed property of each machine between 0 and 1; shape (machines,)."""
        return smooth(_seeds(self._names, topic), np.zeros(1), 1.0)


@lru_cache(maxsize=1024)
def _seeds(names: tuple[str, ...], topic: str) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return seeds_of(list(names), topic)
