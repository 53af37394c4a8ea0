"""Makes one ordered analysis from beginning to end: claim, analyse, lake tables, files, row.."""

import hashlib
import importlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
import structlog

from assets.analytics.contract import Analyse, CancelledError, Inputs, Result
from warehouse import job_runs
from warehouse.analysis_tables import BY_JOB, BY_WINDOW, replace_job, replace_window, schema_of
from warehouse.errors import FactoryOpsError, PermanentError
from warehouse.installation import Installation
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore

KINDS: Final = {
    "anomaly": "assets.analytics.anomaly",
    "failure_prediction": "assets.analytics.failure",
    "energy_forecast": "assets.analytics.energy",
    "ai_copilot": "assets.analytics.copilot",
}
"""Module of each job type; imported when the first job of it runs, because models take seconds and 100 MB to import."""
BEAT_EVERY_S: Final = 5.0
RESULT: Final = "result.json"
LONGEST_NAME: Final = 50
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
Progress = Callable[[float, str], None]
log = structlog.get_logger()


@dataclass(frozen=True)
class Done:
    """What became of a job, for whoever ran it."""

    job: AnalyticsJob
    is_complete: bool
    message: str
    """Its headline, or why it failed."""
    tables: dict[str, int]
    """Rows by table."""


def analyse_of(job_type: str) -> Analyse:
    """The function of a job type. Raises PermanentError for an unknown one."""
    if job_type not in KINDS:
        raise PermanentError(f"there is no analysis {job_type!r}; there are {', '.join(KINDS)}", job_type=job_type)
    found: Analyse = importlib.import_module(KINDS[job_type]).analyse
    return found


def run(installation: Installation, job_id: str, run_id: str, progress: Progress | None = None) -> Done | None:
    """Makes the analysis; None when another run has it or it is over.

    A failure is written on the row in words for people, and raised only when it is not of ours.
    """
    job = job_runs.claim(installation.db, installation.clock, job_id, run_id)
    if job is None:
        return None
    tell = Teller(installation, job, progress)
    try:
        with tell.beating():
            tell(1, "loading the models")
            inputs = inputs_of(installation, job)
            result = _with_explanations(job, inputs, analyse_of(job.job_type)(inputs, tell.part(2, 90)), tell)
            tell(92, "storing the result")
            files = store(installation, job, result)
    except FactoryOpsError as problem:
        log.warning("analysis_failed", job_id=job_id, problem=str(problem))
        job_runs.fail(installation.db, installation.clock, job, problem.message)
        return Done(job, is_complete=False, message=problem.message, tables={})
    except MemoryError:
        message = "it needed more memory than there is; order it with fewer machines or a shorter range"
        job_runs.fail(installation.db, installation.clock, job, message)
        return Done(job, is_complete=False, message=message, tables={})
    except BaseException as problem:
        # Not ours: the row gets a plain sentence, the log and Dagster's run the rest.
        job_runs.fail(
            installation.db, installation.clock, job, f"an unexpected error stopped it ({type(problem).__name__}); the log says more"
        )
        raise
    headline = str(result.summary.get("headline", ""))
    is_complete = job_runs.complete(installation.db, installation.clock, job, f"{folder_of(job)}/{RESULT}", headline, files)
    return Done(job, is_complete, headline, {name: table.height for name, table in result.tables.items()})


def inputs_of(installation: Installation, job: AnalyticsJob) -> Inputs:
    """The order as the row has it."""
    return Inputs(
        installation=installation, factory_id=job.factory_id, device_ids=tuple(job.device_ids), start=job.date_range_start,
        end=job.date_range_end, parameters=dict(job.parameters or {}), job_id=job.id,
    )  # fmt: skip


def _with_explanations(job: AnalyticsJob, inputs: Inputs, result: Result, tell: "Teller") -> Result:
    """In the mode `ai_copilot` any other analysis gets the copilot's findings about the same machines and range as well."""
    if job.mode != "ai_copilot" or job.job_type == "ai_copilot":
        return result
    said = analyse_of("ai_copilot")(inputs, tell.part(90, 92))
    return Result(result.summary | {"copilot": said.summary}, result.tables, result.charts)


class Teller:
    """Progress of one job: onto its row at once, and to whoever else wants it. Raises CancelledError when somebody cancelled it."""

    def __init__(self, installation: Installation, job: AnalyticsJob, progress: Progress | None) -> None:
        self._installation, self._job, self._progress = installation, job, progress
        self._over = threading.Event()

    def __call__(self, percent: float, stage: str) -> None:
        """As `contract.Tell`."""
        self._look(job_runs.beat(self._installation.db, self._installation.clock, self._job, percent, stage))
        if self._progress is not None:
            self._progress(percent, stage)

    def part(self, begin: float, end: float) -> Progress:
        """A Tell whose 0-100 is from `begin` to `end` of the whole."""
        return lambda percent, stage: self(begin + (end - begin) * min(max(percent, 0.0), 100.0) / 100, stage)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Signs of life from a thread of its own, because an analysis may compute for minutes without a word."""
        thread = threading.Thread(target=self._beat, name="analysis beats", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(timeout=BEAT_EVERY_S)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_EVERY_S):
            try:
                job_runs.beat(self._installation.db, self._installation.clock, self._job)
            except Exception as problem:  # noqa: BLE001  # recorded; a database that is away for a moment must not end the analysis
                log.warning("analysis_beat_failed", job_id=self._job.id, problem=str(problem))

    def _look(self, standing: job_runs.Standing) -> None:
        if not standing.is_mine:
            raise CancelledError("the analysis was ended by somebody else")
        if standing.cancelled_by is not None:
            raise CancelledError(f"cancelled by {standing.cancelled_by}")


def folder_of(job: AnalyticsJob) -> str:
    """Where the files of a job lie in the object store: under its factory."""
    return f"factories/{job.factory_id}/analytics/{job.id}"


def store(installation: Installation, job: AnalyticsJob, result: Result) -> list[dict[str, Any]]:
    """Lake tables, then files; the row comes last, so that a crash in between leaves a running job. Again replaces.

    Returns name, size and SHA-256 of each file.
    """
    for name, table in result.tables.items():
        if name in BY_WINDOW:
            rows = table.with_columns(job_id=pl.lit(job.id)) if "job_id" in schema_of(name) else table
            replace_window(installation.lake, job.factory_id, name, job.device_ids, (job.date_range_start, job.date_range_end), rows)
        elif name in BY_JOB:
            replace_job(installation.lake, job.factory_id, name, job.id, table)
    objects, written = ObjectStore(installation.settings), []
    for name, content in _files(job, result, installation.clock.now()):
        objects.write(f"{folder_of(job)}/{name}", content)
        written.append({"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    return written


def _files(job: AnalyticsJob, result: Result, made_at: datetime) -> Iterator[tuple[str, bytes]]:
    for name, table in sorted(result.tables.items()):
        out = io.BytesIO()
        table.write_parquet(out)
        yield f"{name}.parquet", out.getvalue()
    taken: set[str] = set()
    for name, drawing in sorted(result.charts.items()):
        # Charts may be named after machines, which are called anything.
        safe = _UNSAFE.sub("-", name.removesuffix(".svg"))[:LONGEST_NAME] or "chart"
        while safe in taken:
            safe = f"{safe[:LONGEST_NAME]}-{len(taken)}"
        taken.add(safe)
        yield f"{safe}.svg", drawing
    yield RESULT, json.dumps(document(job, result, made_at), default=_plain, allow_nan=False).encode()


def document(job: AnalyticsJob, result: Result, made_at: datetime) -> dict[str, Any]:
    """The result as JSON has it: what was asked, then what was found; pure. Numbers that are none become null."""
    asked = {
        "job_id": job.id, "job_type": job.job_type, "mode": job.mode, "device_ids": job.device_ids,
        "start": job.date_range_start.isoformat(), "end": job.date_range_end.isoformat(), "made_at": made_at.isoformat(),
        "tables": sorted(result.tables), "charts": sorted(result.charts),
    }  # fmt: skip
    cleaned: dict[str, Any] = _without_nan(asked | result.summary)
    return cleaned


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    """Moments as ISO 8601, numbers of NumPy as Python's."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return _without_nan(value.item())
    raise TypeError(f"a result may not hold {type(value).__name__}")
