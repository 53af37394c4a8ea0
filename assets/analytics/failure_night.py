"""One factory's night: a new failure model, every active machine judged, rows into the lake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assets.analytics.anomaly_night import active_devices
from assets.analytics.contract import NotEnoughDataError, Tell
from assets.analytics.failure import trained_model
from assets.analytics.failure_findings import headline, risks_of, table
from assets.models.failure.model import FailureModel
from warehouse.analysis_tables import replace_job
from warehouse.installation import Installation

FAR = 4.0
"""Spreads from the level of its regime, on average over parameters, at which a machine is like nothing that was learned from."""


@dataclass(frozen=True)
class FailureNight:
    """What a night found."""

    rows: int
    headline: str
    version: str
    snapshot_id: int
    label_source: str
    metrics: Mapping[str, float]
    importance: Mapping[str, float]
    drifted_share: float
    """Of the judged machines, 0 to 1."""
    table: str
    """The riskiest machines as Markdown."""


def make_night(installation: Installation, factory_id: int, tell: Tell) -> FailureNight:
    """Learns and judges at this moment; again on the same day replaces the rows. Raises NotEnoughDataError, LakeBusyError."""
    now = installation.clock.now()
    trained = trained_model(installation, factory_id, now, tell, retrain=True)
    ids = active_devices(installation.db, factory_id)
    risks, silent = risks_of(installation, factory_id, ids, trained.model, trained.hours.rows, now)
    if not risks:
        raise NotEnoughDataError("; ".join(silent) or "there is no machine")
    found = table(risks, trained.card.version)
    rows = replace_job(installation.lake, factory_id, "failure_risks", f"nightly-{now:%Y-%m-%d}", found)
    lines = [
        f"| {risk.name} | {risk.probability[risk.longest_h]:.0%} | {risk.left_h:.0f} h | "
        f"{'; '.join(each['sentence'] for each in risk.reasons)} |"
        for risk in risks[:10]
    ]
    drifted = drifted_share(trained.model, trained.hours.rows, [risk.device_id for risk in risks])
    return FailureNight(
        rows, headline(risks), trained.card.version, trained.card.snapshot_id, trained.hours.label_source, trained.card.metrics,
        _plain(trained.card.parameters["importance"]), drifted,
        "\n".join(["| machine | within 7 days | left | why |", "|---|---|---|---|", *lines]),
    )  # fmt: skip


def drifted_share(model: FailureModel, rows: pl.DataFrame, device_ids: list[int]) -> float:
    """Share of the machines whose last day lies farther than FAR from the levels that were learned; pure."""
    recent = rows.filter(pl.col("device_id").is_in(device_ids)).group_by("device_id", maintain_order=True).tail(24)
    if not recent.height:
        return 0.0
    values = model.encoder.standardised(recent).select(model.encoder.columns.parameters).to_numpy()
    known = np.isfinite(values)
    distance = np.where(known, np.abs(np.nan_to_num(values)), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    by_machine = pl.DataFrame({"device_id": recent["device_id"], "distance": distance}).group_by("device_id").agg(pl.col("distance").mean())
    return int((by_machine["distance"] > FAR).sum()) / by_machine.height


def _plain(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
