"""Failure prediction that people order, and each night: a model of all machines of the factory, applied to the machines in question."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from assets.analytics.anomaly_night import active_devices
from assets.analytics.contract import Inputs, NotEnoughDataError, Result, Tell
from assets.analytics.failure_charts import risk_chart
from assets.analytics.failure_findings import findings, headline, model_facts, risks_of, table
from assets.analytics.machine_hours import MachineHours, machine_hours
from assets.analytics.registry import ModelCard, ModelRegistry, ModelUnusableError, Training
from assets.models.failure.decisions import Recipe
from assets.models.failure.model import FailureModel, learn
from warehouse.installation import Installation

NAME: Final = "failure"
LEARNED_FROM: Final = timedelta(days=365)
LEAST_HOURS: Final = 48
LEAST_FAILURES: Final = 3
FRESH_FOR: Final = timedelta(days=7)
"""A model that is younger is used again, unless the order says `retrain`."""
SETTINGS: Final = Recipe()


@dataclass(frozen=True)
class Trained:
    """A model that counts, and the machine-hours of the factory."""

    card: ModelCard
    model: FailureModel
    hours: MachineHours
    is_new: bool


def analyse(inputs: Inputs, tell: Tell) -> Result:
    """Chance of failing within 24 h and 7 days and the time left of each machine at the end of the range, with reasons.

    The model is learned from all machines of the factory and the year before the end of the range. Raises NotEnoughDataError,
    CancelledError, LakeBusyError.
    """
    tell(2, "reading hours, alerts and maintenance")
    trained = trained_model(inputs.installation, inputs.factory_id, inputs.end, tell, retrain=bool(inputs.parameters.get("retrain")))
    tell(85, "judging the machines")
    risks, silent = risks_of(inputs.installation, inputs.factory_id, inputs.device_ids, trained.model, trained.hours.rows, inputs.end)
    if not risks:
        raise NotEnoughDataError("; ".join(silent) or "no machine was chosen")
    tell(95, "drawing")
    summary: dict[str, Any] = {
        "headline": headline(risks),
        "findings": findings(risks, silent, trained.card, trained.hours.label_source),
        "machines": [risk.as_json() for risk in risks],
        "model": model_facts(trained.card),
        "not_judged": silent,
    }
    return Result(summary, {"failure_risks": table(risks, trained.card.version)}, {"risk": risk_chart(risks)})


def trained_model(installation: Installation, factory_id: int, end: datetime, tell: Tell, *, retrain: bool = False) -> Trained:
    """The factory's model that counts, when it is young enough and learned from data up to `end` at most; else a new one.

    Raises NotEnoughDataError, LakeBusyError.
    """
    registry = ModelRegistry(installation, factory_id)
    devices = active_devices(installation.db, factory_id)
    hours = machine_hours(installation, factory_id, devices, end - LEARNED_FROM, end)
    found = None if retrain else usable(registry, hours, end)
    if found is not None:
        return Trained(*found, hours, is_new=False)
    require_enough(hours)
    tell(15, f"learning from {hours.rows.height:,} machine-hours and {hours.failures} failures")
    snapshot_id = installation.lake.snapshot_id()
    model = learn(hours.rows, hours.columns, SETTINGS, lambda share, stage: tell(15 + 65 * share, stage))
    training = Training(
        snapshot_id, _first(hours.rows), end, (*hours.columns.parameters, *hours.columns.contexts, *hours.columns.extras),
        {**model.decisions.quality, "failures": float(hours.failures), "machine_hours": float(hours.rows.height)},
        {"horizons_h": list(SETTINGS.horizons_h), "cap_h": SETTINGS.cap_h, "label_source": hours.label_source,
         "forest_share": list(model.decisions.share_within), "forest_share_life": model.decisions.share_left,
         "importance": dict(list(model.importance.items())[:10])},
    )  # fmt: skip
    newest = _newest(registry)
    # A model of an older state of the data, for somebody who looks back, does not take the place of the one of today.
    card = registry.save(NAME, model, training, counts=newest is None or newest <= end)
    return Trained(card, model, hours, is_new=True)


def usable(registry: ModelRegistry, hours: MachineHours, end: datetime) -> tuple[ModelCard, FailureModel] | None:
    """The model that counts, when it may be used for what is known at `end`; a model that rolled back counts as any other."""
    try:
        card = registry.current(NAME)
        if card is None or not card.data_end <= end <= card.data_end + FRESH_FOR:
            return None
        model: FailureModel = registry.load(card)
    except ModelUnusableError:
        # Of other libraries, or changed: a new one takes its place.
        return None
    columns = model.encoder.columns
    known = {*hours.rows.columns}
    return (card, model) if known.issuperset((*columns.parameters, *columns.contexts, *columns.extras)) else None


def require_enough(hours: MachineHours) -> None:
    """Raises NotEnoughDataError with what there is and what it needs."""
    if hours.hours < LEAST_HOURS:
        raise NotEnoughDataError(f"only {hours.hours} hours of data of all machines together; needs {LEAST_HOURS}", hours=hours.hours)
    if hours.failures < LEAST_FAILURES:
        raise NotEnoughDataError(
            f"only {hours.failures} failures of this factory's machines are known from the last year ({hours.label_source}); needs "
            f"{LEAST_FAILURES}. Import maintenance records, enter failures by hand, or let rules raise critical alerts for them",
            failures=hours.failures,
        )


def _newest(registry: ModelRegistry) -> datetime | None:
    try:
        card = registry.current(NAME)
    except ModelUnusableError:
        return None
    return card.data_end if card else None


def _first(rows: pl.DataFrame) -> datetime:
    first = rows["bucket"].min()
    if not isinstance(first, datetime):
        raise NotEnoughDataError("no hour of data is left beside the work on the machines")
    return first
