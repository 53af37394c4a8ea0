"""What the analytics page shows: jobs, anomalies, risks, forecasts, findings and models, asked once for all sessions of a factory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from dashboards import loads
from dashboards.cache import Answer, ask, ask_lake
from dashboards.resources import installation
from warehouse.errors import NotFoundError
from warehouse.jobs import list_jobs
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.queries import analytics
from warehouse.queries.energy import energy_series
from warehouse.tariffs import tariff_of
from warehouse.terms import METER_KIND

KINDS: Final = {
    "anomaly": "Anomalies",
    "failure_prediction": "Failure risk",
    "energy_forecast": "Energy forecast",
    "ai_copilot": "Explanations",
}
RANGES: Final = {"24 h": timedelta(hours=24), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
MOST_JOBS: Final = 15
RISKS_SINCE: Final = timedelta(days=14)
SHOWN_BEFORE: Final = timedelta(days=3)
"""Measured energy beside a forecast."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Outcome:
    """A complete job and what its result says; `found` is empty when the file is gone or no JSON object."""

    job: AnalyticsJob
    found: Mapping[str, Any]


@dataclass(frozen=True)
class Explained:
    """Findings of the copilot, each with its facts and links, over [start, end)."""

    details: list[Mapping[str, Any]]
    start: datetime
    end: datetime
    made_at: datetime


@dataclass(frozen=True)
class EnergyAhead:
    """A forecast beside what was measured."""

    measured: pl.DataFrame
    """bucket (UTC), kwh: the last days, by hour."""
    ahead: pl.DataFrame
    """bucket (UTC), kwh and bounds: by hour from the first to the last hour of the forecast."""
    model: str
    made_at: datetime | None
    cost: float | None
    currency: str


@dataclass(frozen=True)
class Model:
    """A version of a model, for the scorecard."""

    name: str
    version: str
    made_at: datetime
    data_end: datetime
    metrics: Mapping[str, float]
    is_current: bool


def jobs(factory_id: int) -> tuple[list[AnalyticsJob], int]:
    """The newest analyses, and how many there are in all; at most 1 s old."""
    inst = installation()
    return ask(("analyses",), factory_id, 1, lambda: list_jobs(inst.db, factory_id, status=None, job_type=None, limit=MOST_JOBS)).value


def outcome(job: AnalyticsJob) -> Outcome:
    """What a complete job found; read once."""
    return ask(("analysis", job.id), job.factory_id, 3600, lambda: Outcome(job, _result(job))).value


def newest(factory_id: int, job_type: str) -> Outcome | None:
    """The newest complete job of a type; at most 5 s old."""
    inst = installation()
    found, _ = ask(
        ("newest analysis", job_type), factory_id, 5, lambda: list_jobs(inst.db, factory_id, status="complete", job_type=job_type, limit=1)
    ).value
    return outcome(found[0]) if found else None


def explained(factory_id: int) -> Explained | None:
    """The newest findings: of the night, or of an ordered explanation; at most 30 s old."""

    def nightly() -> Mapping[str, Any]:
        return _read(analytics.insights_path(factory_id))

    found = [ask(("insights",), factory_id, 30, nightly).value]
    ordered = newest(factory_id, "ai_copilot")
    found += [ordered.found] if ordered else []
    known = [each for each in (_explained(one) for one in found) if each is not None]
    return max(known, key=lambda each: each.made_at, default=None)


def _explained(found: Mapping[str, Any]) -> Explained | None:
    details = found.get("details")
    try:
        moments = [datetime.fromisoformat(found[name]) for name in ("start", "end", "made_at")]
    except (KeyError, TypeError, ValueError):
        return None
    return Explained([each for each in details if isinstance(each, dict)], *moments) if isinstance(details, list) else None


def _result(job: AnalyticsJob) -> Mapping[str, Any]:
    return _read(job.result_url) if job.result_url else {}


def _read(path: str) -> Mapping[str, Any]:
    """A JSON object of the store; empty when it is gone or something else."""
    try:
        found = json.loads(ObjectStore(installation().settings).read(path))
    except (NotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def anomalies(factory_id: int, wanted: str) -> Answer[pl.DataFrame]:
    """Anomalies of the range, newest first; at most 30 s old. Raises RetryableError when the lake is away and was never read."""
    inst = installation()

    def load() -> pl.DataFrame:
        now = inst.clock.now()
        return analytics.anomalies(inst.lake, factory_id, now - RANGES[wanted], now)

    return ask_lake(("anomalies", wanted), factory_id, 30, load)


def scores(factory_id: int, device_id: int, wanted: str) -> pl.DataFrame:
    """ts and score of one machine over the range; at most 60 s old. Raises RetryableError."""
    inst = installation()

    def load() -> pl.DataFrame:
        now = inst.clock.now()
        return analytics.anomaly_scores(inst.lake, factory_id, device_id, now - RANGES[wanted], now, most=600)

    return ask_lake(("anomaly scores", device_id, wanted), factory_id, 60, load).value


def risks(factory_id: int) -> Answer[pl.DataFrame]:
    """The newest risk of each machine and horizon; at most 30 s old. Raises RetryableError."""
    inst = installation()
    return ask_lake(("risks",), factory_id, 30, lambda: analytics.latest_risks(inst.lake, factory_id, inst.clock.now() - RISKS_SINCE))


def energy_ahead(factory_id: int, device_id: int | None) -> EnergyAhead:
    """The newest forecast of a machine or of the factory; at most 60 s old. Raises RetryableError."""
    inst = installation()

    def load() -> EnergyAhead:
        now = inst.clock.now()
        found = analytics.latest_forecast(inst.lake, factory_id, now, device_id)
        if found.is_empty():
            return EnergyAhead(pl.DataFrame(), pl.DataFrame(), "", None, None, "")
        used = energy_series(inst.lake, factory_id, now - SHOWN_BEFORE, now, HOUR)
        of_meters = pl.col("device_id").is_in(_meters(factory_id))
        own = used.filter(~of_meters if device_id is None else pl.col("device_id") == device_id)
        measured = own.group_by("bucket").agg(pl.col("kwh").sum()).sort("bucket")
        tariff = tariff_of(inst.db, factory_id)
        costs = found["cost"].drop_nulls()
        return EnergyAhead(
            measured.head(-1), by_hour(found), str(found["model"][0] or ""), found["made_at"][0],
            float(costs.sum()) if costs.len() else None, tariff.currency if tariff else "",
        )  # fmt: skip

    return ask_lake(("energy ahead", device_id), factory_id, 60, load).value


def _meters(factory_id: int) -> list[int]:
    return [machine.id for machine in loads.machines(factory_id) if machine.kind == METER_KIND]


def by_hour(forecast: pl.DataFrame) -> pl.DataFrame:
    """Whole hours of a forecast: `bucket`, kwh and bounds; pure.

    The bounds of an hour are the sums of those of its intervals: neighbouring errors go together, so that is nearer than treating them
    as independent, and never too narrow.
    """
    columns = ("kwh", "kwh_low_80", "kwh_high_80", "kwh_low_95", "kwh_high_95")
    return forecast.group_by(pl.col("ts").dt.truncate("1h").alias("bucket")).agg(pl.col(*columns).sum()).sort("bucket")


def models(factory_id: int) -> list[Model]:
    """Versions of the factory's models, newest first; at most 60 s old."""

    def load() -> list[Model]:
        # joblib and NumPy: only who looks at models needs them.
        from assets.analytics.registry import ModelRegistry  # noqa: PLC0415  # as said above

        registry = ModelRegistry(installation(), factory_id)
        cards = registry.cards()
        current = {name: card.version for name in {card.name for card in cards} if (card := registry.current(name)) is not None}
        return [
            Model(c.name, c.version, c.made_at, c.data_end, c.metrics, current.get(c.name) == c.version)
            for c in sorted(cards, key=lambda card: card.made_at, reverse=True)
        ]

    return ask(("models",), factory_id, 60, load).value
