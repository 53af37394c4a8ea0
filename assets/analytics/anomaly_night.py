"""One factory's night: every machine learned and judged, rows into the lake, models into the registry."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from sqlalchemy import select

from assets.analytics.anomaly_findings import MachineFindings, findings_of
from assets.analytics.anomaly_models import learned_for, save_models
from assets.analytics.contract import NotEnoughDataError
from assets.analytics.machine_grid import machine
from assets.models.anomaly.detector import Model, score
from warehouse.analysis_tables import replace_window
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.models.devices import Device
from warehouse.tenancy import tenant_session

TOLD = 10
"""Anomalies in the metadata of a run."""


@dataclass(frozen=True)
class Night:
    """What a night found."""

    machines: int
    """Judged."""
    anomalies: int
    scores: int
    unusual_share: float
    """Of the judged minutes, 0 to 1."""
    quantiles: tuple[float, float, float]
    """Of all scores: median, 90 %, 99 %."""
    wandered: list[str]
    """Machines that were beyond their limit for most of the time."""
    not_judged: list[str]
    table: str
    """The strongest anomalies as Markdown."""
    version: str
    """Of the models; empty when there are none."""


def make_night(installation: Installation, factory_id: int, start: datetime, end: datetime, tell: Callable[[str], None] = print) -> Night:
    """Learns all active machines of a factory, judges [start, end), replaces its rows there, keeps the models. Raises LakeBusyError."""
    found: list[MachineFindings] = []
    models: dict[int, Model] = {}
    not_judged: list[str] = []
    ids = active_devices(installation.db, factory_id)
    for device_id in ids:
        of = machine(installation, factory_id, device_id)
        try:
            learned = learned_for(installation, factory_id, of, start, end)
        except NotEnoughDataError as reason:
            not_judged.append(reason.message)
            continue
        models[device_id] = learned.model
        found.append(findings_of(of, learned.model, learned.grid, score(learned.model, learned.grid), (start, end), ""))
        tell(f"{of.name}: {found[-1].anomalies.height} anomalies")
    night = summed(found, not_judged)
    metrics = {"machines": float(len(models)), "unusual_share": night.unusual_share}
    version = save_models(installation, factory_id, models, metrics).version if models else ""
    for name in ("anomalies", "anomaly_scores"):
        rows = [(each.anomalies if name == "anomalies" else each.scores) for each in found]
        if rows:
            frame = pl.concat(rows).with_columns(model_version=pl.lit(version))
            replace_window(installation.lake, factory_id, name, ids, (start, end), frame)
    return replace(night, version=version)


def summed(found: list[MachineFindings], not_judged: list[str]) -> Night:
    """All machines together; pure."""
    scores = pl.concat([each.scores["score"] for each in found]) if found else pl.Series("score", [], dtype=pl.Float64)
    rows = sorted(
        (
            (row["score"], each.machine.name, row["started_at"], row["sentence"])
            for each in found
            for row in each.anomalies.iter_rows(named=True)
        ),
        key=lambda row: -row[0],
    )
    lines = [f"| {name} | {begin:%m-%d %H:%M} | {value:.1f} | {text} |" for value, name, begin, text in rows[:TOLD]]
    wandered = [each.machine.name for each in found if each.scores.height and (each.scores["score"] > 1).mean() > 0.5]  # type: ignore[operator]  # a share
    return Night(
        machines=len(found), anomalies=len(rows), scores=len(scores),
        unusual_share=float((scores > 1).mean() or 0.0),  # type: ignore[arg-type]  # a share
        quantiles=tuple(float(scores.quantile(q) or 0.0) for q in (0.5, 0.9, 0.99)),  # type: ignore[arg-type]  # three of them
        wandered=wandered, not_judged=not_judged,
        table="\n".join(["| machine | began (UTC) | score | what |", "|---|---|---|---|", *lines]), version="",
    )  # fmt: skip


def active_devices(db: Database, factory_id: int) -> list[int]:
    """Ids of the machines that are not switched off."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(Device.id).where(Device.is_active).order_by(Device.id)).all())
