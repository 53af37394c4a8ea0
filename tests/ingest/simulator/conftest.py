"""A fortnight of both plants, simulated once."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.simulator.faults import FaultPlan
from ingest.simulator.noise import Floats
from ingest.simulator.plant import FACTORIES, PARAMETERS, Kind, PlantFactory
from ingest.simulator.shifts import Flags
from ingest.simulator.simulation import Metrics, Simulation

STEP_S = 60.0
FORTNIGHT_S = 14 * 86_400.0
START_S = datetime(2026, 11, 2, 0, 0, tzinfo=UTC).timestamp()  # a Monday
# The slowest effect of a fault, a hot bearing or oil, is gone two hours after the repair.
AFTER_REPAIR_STEPS = 120


class Fortnight:
    """All metrics of one factory over 14 days, one a minute."""

    def __init__(self, factory: PlantFactory) -> None:
        self.factory = factory
        self.time_s = np.arange(START_S, START_S + FORTNIGHT_S, STEP_S)
        simulation = Simulation(factory)
        _, self.metrics = simulation.run(simulation.warm_state(START_S), self.time_s)

    def of(self, kind: Kind, parameter: str) -> Floats:
        """One parameter of all machines of a kind, shape (times, machines)."""
        column = [p.key for p in PARAMETERS[kind]].index(parameter)
        return self.metrics[kind].values[:, :, column]

    def healthy(self, kind: Kind) -> Flags:
        """Where a machine has no fault that is more than a trace, and had none for two hours; shape (times, machines)."""
        severities = FaultPlan(self.factory, self.factory.of_kind(kind)).severities(self.time_s)
        ill = np.max(np.stack(list(severities.values())), axis=0) > 0.02
        recently = np.cumsum(ill, axis=0)
        recently[AFTER_REPAIR_STEPS:] -= recently[:-AFTER_REPAIR_STEPS].copy()
        return recently == 0


@pytest.fixture(scope="session")
def fortnights() -> Mapping[str, Fortnight]:
    """By slug."""
    return {factory.slug: Fortnight(factory) for factory in FACTORIES}


@pytest.fixture(scope="session", params=[factory.slug for factory in FACTORIES])
def fortnight(request: pytest.FixtureRequest, fortnights: Mapping[str, Fortnight]) -> Fortnight:
    """Each factory in turn."""
    return fortnights[request.param]


def all_metrics(fortnight: Fortnight) -> list[Metrics]:
    return list(fortnight.metrics.values())
