"""Runs a whole factory over a stretch of time: (state, times) -> (new state, metrics). Pure; history gives many times, live gives one."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ingest.simulator import production, utilities
from ingest.simulator.faults import Fault, FaultPlan, Script
from ingest.simulator.noise import Floats, seed_of, smooth
from ingest.simulator.physics import EMPTY, State, Tape
from ingest.simulator.plant import PARAMETERS, Kind, Machine, PlantFactory
from ingest.simulator.production import Severities, Site
from ingest.simulator.shifts import Duty, DutyPlan, local_day, local_time_s, plant_activity, shift_number, weather

_FORMULAS: dict[Kind, Callable[[Tape, Site, Duty, Severities], tuple[Floats, ...]]] = {
    Kind.CNC_MILL: production.cnc_mill,
    Kind.INJECTION_MOULDER: production.injection_moulder,
    Kind.CONVEYOR: production.conveyor,
    Kind.OVEN: production.oven,
    Kind.PUMP: utilities.pump,
    Kind.COMPRESSOR: utilities.compressor,
    Kind.HVAC: utilities.hvac,
}
# The slowest lag is half an hour and counters restart each local midnight at the latest: a day and a bit forgets every other
# beginning. The end is fine, so that a spindle is as warm as the last minutes of its cycle made it.
WARM_UP_S, WARM_UP_STEP_S = 26 * 3600.0, 60.0
FINE_S, FINE_STEP_S = 1500.0, 2.0


@dataclass(frozen=True)
class Metrics:
    """What the machines of one kind measured: `values` has the shape (times, machines, parameters), rounded as the sensor does.

    `silent` (times, machines) marks moments at which the connection was down, so that nothing arrived.
    """

    kind: Kind
    machines: tuple[Machine, ...]
    time_s: Floats
    values: Floats
    silent: np.ndarray[tuple[int, int], np.dtype[np.bool_]]

    def of(self, device_key: str, parameter: str) -> Floats:
        """One machine's parameter over time; raises StopIteration for an unknown name."""
        column = next(i for i, machine in enumerate(self.machines) if machine.device_key == device_key)
        return self.values[:, column, next(i for i, p in enumerate(PARAMETERS[self.kind]) if p.key == parameter)]


class Simulation:
    """One factory, ready to run. Holds no memory of its own: the state goes in and comes out."""

    def __init__(self, factory: PlantFactory, script: Script | None = None) -> None:
        """Prepares duty and fault plans. The script, if any, adds the faults of a running demo."""
        self.factory = factory
        self._groups = {kind: factory.of_kind(kind) for kind in Kind if factory.of_kind(kind)}
        self._duties = {kind: DutyPlan(factory, machines) for kind, machines in self._groups.items()}
        self._faults = {kind: FaultPlan(factory, machines, script) for kind, machines in self._groups.items()}

    def run(self, state: State, time_s: Floats) -> tuple[State, dict[Kind, Metrics]]:
        """Moves the plant from `state` through the evenly spaced UTC epoch seconds `time_s`, all later than the state's."""
        site = self._site(state.time_s, time_s)
        after: dict[str, Floats] = {}
        metrics: dict[Kind, Metrics] = {}
        for kind, machines in self._groups.items():
            tape = Tape(self.factory, machines, time_s, state)
            fault = self._faults[kind].severities(time_s)
            if kind is Kind.ENERGY_METER:
                columns = utilities.energy_meter(tape, site, _region_power(machines, metrics), fault)
            else:
                columns = _FORMULAS[kind](tape, site, self._duty(kind, time_s), fault)
            values = np.stack([np.round(c, p.decimals) for c, p in zip(columns, PARAMETERS[kind], strict=True)], axis=2)
            metrics[kind] = Metrics(kind, machines, time_s, values + 0.0, fault[Fault.LINK_LOSS] > 0.0)
            after |= tape.after
        return State(float(time_s[-1]), MappingProxyType(after)), metrics

    def warm_state(self, time_s: float) -> State:
        """The state that a plant has at `time_s` which has been running for ever: temperatures settled, counters as far as they are."""
        fine_from_s = np.floor((time_s - FINE_S) / WARM_UP_STEP_S) * WARM_UP_STEP_S
        coarse = np.arange(fine_from_s - WARM_UP_S, fine_from_s, WARM_UP_STEP_S)
        state, _ = self.run(State(float(coarse[0]) - WARM_UP_STEP_S, EMPTY), coarse)
        return self.run(state, np.arange(fine_from_s, time_s, FINE_STEP_S))[0]

    def _duty(self, kind: Kind, time_s: Floats) -> Duty:
        duty, forced = self._duties[kind].at(time_s), self._faults[kind].forced(time_s)
        return Duty(np.maximum(duty.on, forced), np.maximum(duty.run, forced), duty.load, duty.job)

    def _site(self, before_s: float, time_s: Floats) -> Site:
        local = local_time_s(np.concatenate([[before_s], time_s]), self.factory.zone)
        activity = plant_activity(self.factory, time_s, local[1:])
        around = weather(self.factory, time_s, local[1:], activity)
        grid = smooth(np.array(seed_of(self.factory.slug, "grid"), dtype=np.uint64), time_s, 700.0) - 0.5
        voltage = self.factory.phase_voltage_v * (1.0 + 0.012 * grid - 0.010 * (activity - 0.5))
        return Site(
            outdoor_c=around.outdoor_c[:, None],
            hall_c=around.hall_c[:, None],
            humidity_percent=around.humidity_percent[:, None],
            activity=activity[:, None],
            voltage_v=voltage[:, None],
            shift=shift_number(local),
            day=local_day(local),
        )


def _region_power(meters: tuple[Machine, ...], metrics: dict[Kind, Metrics]) -> Floats:
    """The power that the machines of each meter's region draw, shape (times, meters)."""
    columns = []
    for meter in meters:
        sums = [
            found.values[:, [machine.region == meter.region for machine in found.machines], 0].sum(axis=1) for found in metrics.values()
        ]
        columns.append(np.sum(sums, axis=0))
    return np.stack(columns, axis=1)
