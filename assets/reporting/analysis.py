"""Results of analyses for a report: which jobs belong to it, and their results as rows of facts."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import polars as pl

from assets.reporting.parameters import ReportOrder
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.queries.report_data import analyses
from warehouse.settings import Settings
from warehouse.terms import ANALYSIS_HEADLINE

ANALYSIS: Final = pl.Schema({"job_type": pl.String(), "job_id": pl.String(), "fact": pl.String(), "value": pl.String()})
MOST_FACTS: Final = 40
LONGEST_VALUE: Final = 200
FINDING: Final = "finding"
EXPLANATION: Final = "explanation"
MOST_SENTENCES: Final = 15
LONGEST_SENTENCE: Final = 600


def analysis_frame(db: Database, settings: Settings, factory_id: int, device_ids: list[int], order: ReportOrder) -> pl.DataFrame:
    """ANALYSIS of the chosen job, or of the newest finished one of each type for these machines and this period.

    Empty when the report was ordered without analytics.
    """
    if not order.include_analytics and order.analytics_job_id is None:
        return pl.DataFrame(schema=ANALYSIS)
    jobs = analyses(db, factory_id, order.analytics_job_id, device_ids, order.start, order.end)
    rows = [(job.job_type, job.id, fact, value) for job in jobs for fact, value in _of_job(job, settings)]
    return pl.DataFrame(rows, schema=ANALYSIS, orient="row")


def _of_job(job: AnalyticsJob, settings: Settings) -> Iterator[tuple[str, str]]:
    yield "period of the analysis", f"{job.date_range_start:%Y-%m-%d} to {job.date_range_end:%Y-%m-%d} (UTC)"
    yield "machines of the analysis", str(len(job.device_ids))
    if job.completed_at is not None:
        yield "finished", f"{job.completed_at:%Y-%m-%d %H:%M} UTC"
    if not job.result_url:
        yield "result", "the job left no result"
        return
    try:
        found = json.loads(ObjectStore(settings).read(job.result_url))
    except NotFoundError:
        yield "result", "the file of the result is gone"
    except ValueError:
        yield "result", "the file of the result cannot be read"
    else:
        yield from sentences_of(found) if isinstance(found, dict) and found.get("headline") else facts_of(found)


def sentences_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What an analysis says of itself: its headline, its findings, and those of the copilot about the same machines; pure."""
    explained = result.get("copilot")
    told = [(ANALYSIS_HEADLINE, result["headline"])]
    told += [(FINDING, each) for each in _listed(result.get("findings"))[:MOST_SENTENCES]]
    told += [(EXPLANATION, each) for each in _listed(explained.get("findings") if isinstance(explained, dict) else None)[:MOST_SENTENCES]]
    # The headline is often the first finding as well.
    names: dict[str, str] = {}
    for name, text in told:
        names.setdefault(str(text)[:LONGEST_SENTENCE], name)
    return [(name, text) for text, name in names.items()]


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def facts_of(result: Any, most: int = MOST_FACTS) -> list[tuple[str, str]]:
    """Name and value of everything in a JSON result, depth first, lists by their length when they are long; pure."""
    found: list[tuple[str, str]] = []
    for name, value in _flat(result, ""):
        if len(found) == most:
            break
        found.append((name or "result", value))
    return found


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name} · {key}" if name else str(key).replace("_", " "))
    elif isinstance(value, list) and (len(value) > 5 or not all(isinstance(part, str | int | float) for part in value)):
        yield name, f"{len(value)} entries"
    elif isinstance(value, list):
        yield name, ", ".join(_text(part) for part in value)
    elif value is not None:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)[:LONGEST_VALUE]
