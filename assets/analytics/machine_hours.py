"""What failure models learn from: machine-hours with levels, settings, alerts and anomaly scores, cut into lives by failures and work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import select

from assets.models.failure.encoder import Columns
from assets.models.failure.lives import HOUR, cut_into_lives
from assets.models.failure.windows import is_vibration
from warehouse.db import Database
from warehouse.derived import ANOMALY_SCORE, DERIVED
from warehouse.installation import Installation
from warehouse.models.alerting import Alert
from warehouse.models.devices import Device
from warehouse.queries.faults import fault_spans
from warehouse.queries.summaries import summaries
from warehouse.tenancy import tenant_session
from warehouse.terms import POWER
from warehouse.upkeep import maintenance_events

SETTING_WORDS: Final = ("speed", "rpm", "load", "setpoint", "feed", "throughput", "ambient", POWER)
"""A parameter whose key has one of these says what the machine is asked to do: levels are compared at the same settings."""
COUNTER_WORDS: Final = ("parts", "energy", "count", "total", "hours")
"""Counters only grow: their level says nothing about health."""
PEAK: Final = " peak"
AGE: Final = "age_h"
ALERTS: Final = ("alerts_24h", "alerts_168h")
ANOMALY: Final = "anomaly_24h"
EXTRAS: Final = (AGE, *ALERTS, ANOMALY)
ONE_FAULT: Final = timedelta(hours=6)
"""Critical alerts that follow each other sooner are one failure."""
READ_AT_ONCE: Final = timedelta(days=60)


@dataclass(frozen=True)
class MachineHours:
    """Of some machines."""

    rows: pl.DataFrame
    """device_id, bucket, the columns, and those of `lives`; sorted by machine and time."""
    columns: Columns
    failures: int
    """That ended a life."""
    label_source: str
    """`recorded failures` or `critical alerts`."""
    hours: int
    """With readings, before work was left out."""


def machine_hours(installation: Installation, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> MachineHours:
    """Machine-hours of [start, end). Raises LakeBusyError."""
    long = _hourly(installation, factory_id, device_ids, start, end)
    wide = _wide(long)
    events, source = failures_and_work(installation.db, factory_id, device_ids, start, end)
    parameters, contexts = _roles([name for name in wide.columns if name not in {"device_id", "bucket", ANOMALY_SCORE}])
    kinds = _kinds(installation.db, factory_id)
    named = {f"kind {kind}": [float(kinds.get(device_id) == kind) for device_id in wide["device_id"]] for kind in _known(kinds, device_ids)}
    full = wide.with_columns(pl.Series(name, values, dtype=pl.Float64) for name, values in named.items())
    cut = cut_into_lives(_with_anomaly(full), events, end)
    rows = _with_alerts(cut, _alert_times(installation.db, factory_id, device_ids, start, end))
    failures = rows.filter(pl.col("remaining_h").is_not_null())["life"].n_unique()
    return MachineHours(rows, Columns(parameters, (*contexts, *named), EXTRAS), failures, source, full.height)


def failures_and_work(db: Database, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> tuple[pl.DataFrame, str]:
    """device_id, kind, began_at, ended_at of failures and work, and where the failures come from.

    Recorded failures (work orders); when there are none of any of the machines, critical alerts stand for them.
    """
    names = ["device_id", "kind", "began_at", "ended_at"]
    recorded = maintenance_events(db, factory_id, start, end, devices=device_ids).select(names)
    if recorded.filter(pl.col("kind") == "failure").height:
        return recorded, "recorded failures"
    alerts = fault_spans(db, factory_id, start, end).filter(pl.col("device_id").is_in(list(device_ids)))
    ended = pl.when(pl.col("end") >= end).then(None).otherwise(pl.col("end") + ONE_FAULT)
    faults = alerts.select("device_id", kind=pl.lit("failure"), began_at="begin", ended_at=ended)
    return pl.concat([recorded, faults.cast(recorded.schema)]), "critical alerts"


def _hourly(installation: Installation, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    """device_id, bucket, parameter, value: means of hours; of vibrations the peaks as well, of anomaly scores peaks only."""
    frames, begin = [], start
    while begin < end:
        until = min(begin + READ_AT_ONCE, end)
        frames.append(summaries(installation.lake, factory_id, begin, until, HOUR, device_ids=device_ids))
        begin = until
    found = pl.concat(frames).filter(pl.col("mean").is_not_null())
    # An hour that has not ended says something else than a whole one.
    found = found.filter(pl.col("bucket") + HOUR <= end)
    means = found.filter(~pl.col("parameter").is_in(DERIVED)).select("device_id", "bucket", "parameter", value="mean")
    shaking = [name for name in found["parameter"].unique() if is_vibration(name)]
    peaks = found.filter(pl.col("parameter").is_in(shaking)).select("device_id", "bucket", pl.col("parameter") + PEAK, value="max")
    scores = found.filter(pl.col("parameter") == ANOMALY_SCORE).select("device_id", "bucket", "parameter", value="max")
    return pl.concat([means, peaks, scores])


def _wide(long: pl.DataFrame) -> pl.DataFrame:
    """A column a parameter; hours with nothing but an anomaly score are left out."""
    measured = long.filter(pl.col("parameter") != ANOMALY_SCORE).select("device_id", "bucket").unique()
    spread = long.pivot("parameter", index=["device_id", "bucket"], values="value", aggregate_function="first", sort_columns=True)
    return measured.join(spread, on=["device_id", "bucket"], how="left").sort("device_id", "bucket")


def _roles(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which parameters show health, and which are settings."""
    useful = [name for name in names if not any(word in name.lower() for word in COUNTER_WORDS)]
    contexts = tuple(name for name in useful if any(word in name.lower() for word in SETTING_WORDS) and not name.endswith(PEAK))
    parameters = tuple(name for name in useful if name not in contexts)
    # Of a machine that tells only its power, power has to do.
    return (parameters, contexts) if parameters else (contexts, ())


def _with_anomaly(rows: pl.DataFrame) -> pl.DataFrame:
    """The greatest anomaly score of the last 24 hours with readings; 0 where nothing was scored."""
    score = pl.col(ANOMALY_SCORE) if ANOMALY_SCORE in rows.columns else pl.lit(0.0)
    scored = rows.with_columns(_score=score.fill_null(0.0).cast(pl.Float64))
    return scored.with_columns(pl.col("_score").rolling_max(24, min_samples=1).over("device_id").alias(ANOMALY)).drop("_score")


def _with_alerts(rows: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """How many alerts of any severity came up in the 24 and 168 hours before the end of each hour."""
    numbered = alerts.sort("device_id", "triggered_at").with_columns(so_far=pl.int_range(1, pl.len() + 1).over("device_id"))
    known = rows.with_columns(_until=pl.col("bucket") + HOUR)

    def up_to(moment: pl.Expr, name: str) -> pl.Series:
        asked = known.select("device_id", _at=moment).with_row_index().sort("_at")
        found = asked.join_asof(
            numbered.sort("triggered_at"), left_on="_at", right_on="triggered_at", by="device_id", check_sortedness=False
        )
        return found.sort("index")["so_far"].fill_null(0).cast(pl.Float64).alias(name)

    now = up_to(pl.col("_until"), "now")
    counts = [(now - up_to(pl.col("_until") - timedelta(hours=int(name[7:-1])), name)).alias(name) for name in ALERTS]
    return rows.with_columns(counts)


def _alert_times(db: Database, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    asked = select(Alert.device_id, Alert.triggered_at).where(
        Alert.device_id.in_(device_ids), Alert.triggered_at >= start - timedelta(days=7), Alert.triggered_at < end
    )
    with tenant_session(db, factory_id) as session:
        rows = [tuple(row) for row in session.execute(asked).all()]
    return pl.DataFrame(rows, schema={"device_id": pl.Int32, "triggered_at": pl.Datetime("us", "UTC")}, orient="row")


def _kinds(db: Database, factory_id: int) -> dict[int, str]:
    with tenant_session(db, factory_id) as session:
        return {device.id: device.kind or "" for device in session.scalars(select(Device)).all()}


def _known(kinds: dict[int, str], device_ids: Sequence[int]) -> list[str]:
    """Kinds of these machines; none when all are of one kind."""
    found = sorted({kinds.get(device_id, "") for device_id in device_ids})
    return found if len(found) > 1 else []
