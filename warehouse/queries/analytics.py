"""What analyses found, of one factory: for the page, the API, the copilot, reports and the machine's chart."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from warehouse.analysis_tables import schema_of
from warehouse.lake import Lake

MOST_ANOMALIES: Final = 500
MOST_POINTS: Final = 2_000
OLD_FORECAST: Final = timedelta(days=31)
"""A forecast reaches two weeks ahead at most; older ones are history."""


def anomalies(
    lake: Lake,
    factory_id: int,
    start: datetime,
    end: datetime,
    device_ids: Collection[int] | None = None,
    *,
    limit: int = MOST_ANOMALIES,
) -> pl.DataFrame:
    """Anomalies that touch [start, end), newest first: `schema_of("anomalies")` without the factory. Raises LakeBusyError."""
    found = lake.reader(factory_id).query(
        f"SELECT * FROM anomalies WHERE started_at < $end AND ended_at >= $start {_of(device_ids)} "  # noqa: S608  # numbers only
        "ORDER BY started_at DESC, device_id, score DESC LIMIT $limit",
        {"start": start, "end": end, "limit": limit},
    )
    return _typed(found, "anomalies")


def anomaly_scores(lake: Lake, factory_id: int, device_id: int, start: datetime, end: datetime, *, most: int = MOST_POINTS) -> pl.DataFrame:
    """`ts` and `score` of one machine in [start, end), by time: at most `most` points, each the greatest score of its bucket."""
    step_s = max(1, int((end - start).total_seconds() / most))
    found = lake.reader(factory_id).query(
        "SELECT time_bucket(to_seconds($step), ts) AS ts, max(score) AS score FROM anomaly_scores "
        "WHERE device_id = $device AND ts >= $start AND ts < $end GROUP BY ALL ORDER BY 1",
        {"device": device_id, "start": start, "end": end, "step": step_s},
    )
    return found.cast({"ts": schema_of("anomaly_scores")["ts"], "score": pl.Float64()})


def latest_risks(lake: Lake, factory_id: int, since: datetime, device_ids: Collection[int] | None = None) -> pl.DataFrame:
    """The newest risk of each machine and horizon since `since`, the most probable first: `schema_of("failure_risks")` without the factory.

    Raises LakeBusyError.
    """
    found = lake.reader(factory_id).query(
        f"SELECT * FROM failure_risks WHERE ts >= $since {_of(device_ids)} "  # noqa: S608  # numbers only
        "QUALIFY row_number() OVER (PARTITION BY device_id, horizon_h ORDER BY ts DESC, job_id) = 1 "
        "ORDER BY horizon_h, probability DESC, device_id",
        {"since": since},
    )
    return _typed(found, "failure_risks")


def risk_history(lake: Lake, factory_id: int, device_id: int, horizon_h: float, start: datetime, end: datetime) -> pl.DataFrame:
    """How the risk of one machine within one horizon went over [start, end): `schema_of("failure_risks")` without the factory."""
    found = lake.reader(factory_id).query(
        "SELECT * FROM failure_risks WHERE device_id = $device AND horizon_h = $horizon AND ts >= $start AND ts < $end ORDER BY ts",
        {"device": device_id, "horizon": horizon_h, "start": start, "end": end},
    )
    return _typed(found, "failure_risks")


def latest_forecast(lake: Lake, factory_id: int, now: datetime, device_id: int | None = None) -> pl.DataFrame:
    """The newest energy forecast of a machine, or without one of the factory, by time; empty when there is none of the last month.

    `schema_of("energy_forecasts")` without the factory. Raises LakeBusyError.
    """
    found = lake.reader(factory_id).query(
        "WITH own AS (SELECT * FROM energy_forecasts WHERE device_id IS NOT DISTINCT FROM $device AND made_at >= $since), "
        "newest AS (SELECT made_at, job_id FROM own ORDER BY made_at DESC, job_id LIMIT 1) "
        "SELECT o.* FROM own o JOIN newest n ON o.made_at = n.made_at AND o.job_id IS NOT DISTINCT FROM n.job_id ORDER BY o.ts",
        {"device": device_id, "since": now - OLD_FORECAST},
    )
    return _typed(found, "energy_forecasts")


@dataclass(frozen=True)
class AnomalyMark:
    """A span to shade in the chart of a machine."""

    begin: datetime
    end: datetime
    score: float
    """1 is the limit of what is usual."""
    sentence: str
    parameters: tuple[str, ...]
    """Keys of the parameters that made it so, the strongest first."""


@dataclass(frozen=True)
class MachineMarks:
    """What analyses say about one machine, for its chart."""

    anomalies: tuple[AnomalyMark, ...]
    """By time."""
    forecast: pl.DataFrame
    """The newest energy forecast's intervals within the chart: ts, interval_s, kwh, kwh_low_80, kwh_high_80; empty without one."""


def machine_marks(lake: Lake, factory_id: int, device_id: int, start: datetime, end: datetime) -> MachineMarks:
    """Anomalies that touch [start, end) and the energy expected in it, of one machine of the factory. Raises LakeBusyError."""
    rows = anomalies(lake, factory_id, start, end, [device_id])
    marks = tuple(
        AnomalyMark(row["started_at"], row["ended_at"], row["score"], row["sentence"] or "", tuple(contributors(row["contributions"])))
        for row in rows.reverse().iter_rows(named=True)
    )
    expected = latest_forecast(lake, factory_id, end, device_id).filter(pl.col("ts").is_between(start, end, closed="left"))
    return MachineMarks(marks, expected.select("ts", "interval_s", "kwh", "kwh_low_80", "kwh_high_80"))


def insights_path(factory_id: int) -> str:
    """Where the nightly findings of a factory lie in the object store."""
    return f"factories/{int(factory_id)}/analytics/insights.json"


def contributors(contributions: str | None) -> list[str]:
    """The parameters of an anomaly, the strongest first; pure.

    Understands a list of objects with `parameter` and `share`, and an object of shares by parameter.
    """
    return [name for name, _ in shares(contributions)]


def shares(contributions: str | None) -> list[tuple[str, float]]:
    """Parameter and share (0 to 1) of an anomaly's contributions, the strongest first; pure."""
    found: Any = json.loads(contributions) if contributions else []
    if isinstance(found, dict):
        pairs = [(str(name), float(share)) for name, share in found.items() if isinstance(share, int | float)]
    else:
        pairs = [
            (str(each["parameter"]), float(each.get("share", 0.0))) for each in found if isinstance(each, dict) and "parameter" in each
        ]
    return sorted(pairs, key=lambda pair: -pair[1])


def reason_sentences(reasons: str | None) -> list[str]:
    """Why a machine is at risk, in words, the strongest first; pure."""
    found: Any = json.loads(reasons) if reasons else []
    if not isinstance(found, list):
        return []
    return [str(each.get("sentence") or each.get("parameter") or "") if isinstance(each, dict) else str(each) for each in found]


def _of(device_ids: Collection[int] | None) -> str:
    """A condition on machines; ids are numbers, so that nothing else can get into the statement."""
    if device_ids is None:
        return ""
    if not device_ids:
        return "AND false"
    return f"AND device_id IN ({', '.join(str(int(number)) for number in sorted(device_ids))})"


def _typed(found: pl.DataFrame, table: str) -> pl.DataFrame:
    schema = pl.Schema({name: kind for name, kind in schema_of(table).items() if name != "factory_id"})
    return found.select(schema.names()).cast(schema)
