"""Anomaly models of a factory's machines: learned from the weeks before, kept in the registry as one model a night."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from assets.analytics.contract import LEAST_HOURS, NotEnoughDataError
from assets.analytics.machine_grid import Machine, failing, read_grid
from assets.analytics.registry import ModelCard, ModelRegistry, Training
from assets.models.anomaly.constants import CONSTANTS
from assets.models.anomaly.detector import Model, NotLearnableError, learn
from assets.models.anomaly.grid import Grid
from assets.models.anomaly.packing import from_plain, to_plain
from warehouse.installation import Installation

NAME: Final = "anomaly"
LEARNED_FROM: Final = timedelta(days=21)
"""Three of each weekday: what happens once a week is usual."""


@dataclass(frozen=True)
class Learned:
    """A machine's model with the grid that it is to score."""

    machine: Machine
    model: Model
    grid: Grid
    """From the beginning of the learning on, so that the first scored rows have their smoothing window."""
    is_from_before: bool
    """Learned from before the range; else the range itself had to do."""


def learned_for(installation: Installation, factory_id: int, of: Machine, start: datetime, end: datetime) -> Learned:
    """The model for scoring [start, end): from the 21 days before, or where there is too little of them, from the range too.

    Raises NotEnoughDataError with what there is and what it needs, LakeBusyError.
    """
    grid = read_grid(installation, factory_id, of.device_id, start - LEARNED_FROM, end)
    excluded = failing(installation, factory_id, of.device_id, grid)
    before = int(np.clip((start.timestamp() - grid.begin_s) // grid.step_s, 0, len(grid.values)))
    is_from_before = hours_of(grid.part(0, before)) >= LEAST_HOURS
    rows = before if is_from_before else len(grid.values)
    hours = hours_of(grid.part(0, rows))
    if hours < LEAST_HOURS:
        raise NotEnoughDataError(
            f"only {hours:.0f} hours of data of {of.name}; needs {LEAST_HOURS}",
            device_id=of.device_id,
            hours=hours,
            needs_hours=LEAST_HOURS,
        )
    try:
        model = learn(grid.part(0, rows), excluded[:rows])
    except NotLearnableError as reason:
        raise NotEnoughDataError(f"{of.name} cannot be judged: {reason.message}", device_id=of.device_id) from reason
    return Learned(of, model, grid, is_from_before)


def hours_of(grid: Grid) -> float:
    """For how long a machine was measured; gaps do not count; pure."""
    return float(np.isfinite(grid.values).any(axis=1).sum()) * grid.step_s / 3600 if grid.values.size else 0.0


def save_models(installation: Installation, factory_id: int, models: dict[int, Model], metrics: dict[str, float]) -> ModelCard:
    """Keeps the models of a factory, by device id, as its newest ones: live scores come from them from now on."""
    moments = [moment for model in models.values() for moment in (model.trained_from_s, model.trained_to_s)]
    features = sorted({name for model in models.values() for name in model.names})
    training = Training(
        installation.lake.snapshot_id(), datetime.fromtimestamp(min(moments), UTC), datetime.fromtimestamp(max(moments), UTC), features,
        metrics, {name: getattr(CONSTANTS, name) for name in CONSTANTS.__dataclass_fields__},
    )  # fmt: skip
    plain: dict[int, dict[str, Any]] = {device_id: to_plain(model) for device_id, model in models.items()}
    return ModelRegistry(installation, factory_id).save(NAME, plain, training)


def current_models(installation: Installation, factory_id: int, known_version: str = "") -> tuple[str, dict[int, Model]] | None:
    """Version and models by device id that count; None when none were trained, or they are `known_version`, which the caller has."""
    registry = ModelRegistry(installation, factory_id)
    card = registry.current(NAME)
    if card is None or card.version == known_version:
        return None
    return card.version, {device_id: from_plain(plain) for device_id, plain in registry.load(card).items()}
