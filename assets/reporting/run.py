"""Makes one ordered report from beginning to end: claim, collect, files, notebook, gate, seal, ledger, store."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import nbformat
import polars as pl
import structlog
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from assets.reporting.attachments import csv_attachment, parquet_attachment
from assets.reporting.collect import OPERATIONAL, Collected, collect
from assets.reporting.digest import sha256
from assets.reporting.html import document_html
from assets.reporting.json_report import report_json
from assets.reporting.keys import ensure_keys, key_files
from assets.reporting.memory import give_back_memory
from assets.reporting.notebook_document import document_of
from assets.reporting.notebook_run import notebook_of, run_notebook
from assets.reporting.parameters import ReportOrder
from assets.reporting.pdf_gate import check_pdf
from assets.reporting.preview import first_page
from assets.reporting.render import render_pdf
from assets.reporting.run_data import RunData
from assets.reporting.signing import sign_pdf
from assets.reporting.workbook import write_workbook
from warehouse import ledger, reports
from warehouse.errors import FactoryOpsError
from warehouse.installation import Installation
from warehouse.models.reporting import ReportFile
from warehouse.models.work import Report
from warehouse.objects import ObjectStore
from warehouse.queries.report_data import wide_readings
from warehouse.tenancy import tenant_session

Progress = Callable[[float, str], None]
SUFFIX: Final = {
    "pdf": "pdf",
    "excel": "xlsx",
    "json": "json",
    "html": "html",
    "csv": "csv",
    "parquet": "parquet",
    "notebook": "ipynb",
    "inputs": "zip",
    "preview": "png",
}
_FIXED_ZIP_TIME: Final = (2000, 1, 1, 0, 0, 0)
log = structlog.get_logger()


@dataclass(frozen=True)
class Made:
    """The files of a run by kind, and what the ledger holds of it."""

    files: dict[str, bytes]
    proof: dict[str, Any]
    facts: dict[str, Any]


def run(installation: Installation, report_id: str, progress: Progress | None = None) -> str | None:
    """Makes the report; returns its status, or None when another worker has it or it is done.

    A failure is written on the report in words for people, and not raised: whoever asked looks at the row.
    """
    report = reports.claim(installation.db, installation.clock, report_id)
    if report is None:
        return None
    tell = _teller(installation, report, progress)
    try:
        order = order_of(installation, report)
        made = make(installation, report.factory_id, order, tell)
        tell(92, "sealing and storing")
        store(installation, report, made)
    except (FactoryOpsError, ValidationError) as problem:
        message = problem.message if isinstance(problem, FactoryOpsError) else "the order is not valid: " + problem.errors()[0]["msg"]
        log.warning("report_failed", report_id=report_id, problem=str(problem))
        reports.fail(installation.db, installation.clock, report.factory_id, report_id, message)
        return "failed"
    except BaseException as problem:
        # Not ours: the row gets a plain sentence, the log and the run the rest.
        reports.fail(
            installation.db, installation.clock, report.factory_id, report_id, f"an unexpected error stopped it ({type(problem).__name__})"
        )
        raise
    return "complete"


def _teller(installation: Installation, report: Report, progress: Progress | None) -> Progress:
    def tell(percent: float, stage: str) -> None:
        reports.note_progress(installation.db, report.factory_id, report.id, percent, stage)
        if progress is not None:
            progress(percent, stage)

    return tell


def order_of(installation: Installation, report: Report) -> ReportOrder:
    """The order as the row has it. Raises ValidationError."""
    person = reports.person(installation.db, report.factory_id, report.created_by)
    return ReportOrder.model_validate(
        {
            "report_id": report.id, "report_type": report.report_type, "title": report.title or "", "device_ids": tuple(report.device_ids),
            "start": report.date_range_start, "end": report.date_range_end, "formats": tuple(report.also or [report.format]),
            "language": report.language, "include_analytics": report.include_analytics, "analytics_job_id": report.analytics_job_id,
            "prepared_by": "FactoryOps", "prepared_for": person.name or person.email, "prepared_at": installation.clock.now(),
            "keep_until": installation.clock.now() + reports.retention(installation.settings, report.report_type),
        }
    )  # fmt: skip


def make(
    installation: Installation,
    factory_id: int,
    order: ReportOrder,
    tell: Progress,
    *,
    snapshot_id: int | None = None,
    operational: dict[str, pl.DataFrame] | None = None,
) -> Made:
    """All files of an order, unsigned; with a snapshot and operational frames those of an earlier run again. Stores nothing."""
    # 0700, and gone when the run ends: the frames are the factory's data.
    with tempfile.TemporaryDirectory(prefix="factoryops-report-") as name:
        folder = Path(name)
        tell(5, "collecting data")
        found = collect(
            installation.db,
            installation.lake,
            installation.settings,
            factory_id,
            order,
            folder,
            snapshot_id=snapshot_id,
            operational=operational,
        )
        # Before the kernel starts, not beside it: a second and a half longer, and 100 MB less at once.
        tell(25, "writing tables")
        files = _tables(installation, factory_id, order, found, folder)
        give_back_memory()
        tell(40, "computing and drawing")
        files |= _pages(installation, order, folder)
        tell(70, "writing files")
        files["inputs"] = inputs_zip(found.operational)
    return Made(files, _proof(order, found, files), found.facts)


def _pages(installation: Installation, order: ReportOrder, folder: Path) -> dict[str, bytes]:
    """The notebook, and the PDF and HTML that come from it."""
    if not {"pdf", "html"} & set(order.formats):
        return {}
    notebook = run_notebook(notebook_of(order.report_type), folder, time_limit_s=installation.settings.report_time_limit_seconds)
    document = document_of(notebook)
    files = {"notebook": nbformat.writes(notebook).encode()}
    if "pdf" in order.formats:
        files["pdf"] = render_pdf(document)
        check_pdf(files["pdf"])
        files["preview"] = first_page(files["pdf"])
    if "html" in order.formats:
        files["html"] = document_html(document).encode()
    return files


def _tables(installation: Installation, factory_id: int, order: ReportOrder, found: Collected, folder: Path) -> dict[str, bytes]:
    """Excel, JSON and the raw readings."""
    run_data, files = RunData(folder), dict[str, bytes]()
    reader = installation.lake.reader(factory_id, found.facts["snapshot_id"])

    def raw(devices: Any, keys: Any, interval: timedelta | None) -> pl.DataFrame:
        return wide_readings(reader, devices, keys, order.start, order.end, interval)

    if "excel" in order.formats:
        path = folder / "report.xlsx"
        write_workbook(run_data, raw, path)
        files["excel"] = path.read_bytes()
    if "json" in order.formats:
        files["json"] = report_json(run_data)
    for kind, write in (("parquet", parquet_attachment), ("csv", csv_attachment)):
        if kind in order.formats:
            path = folder / f"raw.{kind}"
            write(reader, run_data, path)
            files[kind] = path.read_bytes()
    return files


def inputs_zip(frames: dict[str, pl.DataFrame]) -> bytes:
    """The operational frames in one file: what a reproduction needs beside the lake's snapshot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in OPERATIONAL:
            part = io.BytesIO()
            frames[name].write_parquet(part, statistics=False)
            bundle.writestr(zipfile.ZipInfo(f"{name}.parquet", _FIXED_ZIP_TIME), part.getvalue())
    return out.getvalue()


def read_inputs(content: bytes) -> dict[str, pl.DataFrame]:
    """The frames of `inputs_zip`."""
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        return {name: pl.read_parquet(io.BytesIO(bundle.read(f"{name}.parquet"))) for name in OPERATIONAL}


def _proof(order: ReportOrder, found: Collected, files: dict[str, bytes]) -> dict[str, Any]:
    path = notebook_of(order.report_type)
    return {
        "order": json.loads(order.model_dump_json()),
        "notebook": path.name,
        "notebook_sha256": sha256(path.read_bytes()),
        "snapshot_id": found.facts["snapshot_id"],
        "data_sha256": found.facts["data_sha256"],
        "frames": found.facts["frames"],
        "versions": found.facts["versions"],
        "rendered_sha256": {kind: sha256(content) for kind, content in sorted(files.items())},
    }


def file_name(run_label: str, kind: str) -> str:
    """What a file is called when somebody downloads it."""
    return f"{run_label}{'-raw' if kind in {'csv', 'parquet'} else ''}.{SUFFIX[kind]}"


def store(installation: Installation, report: Report, made: Made) -> None:
    """Seals the PDF, writes the files, then row, files and ledger in one transaction: a crash in between leaves a running report."""
    sealed = seal(installation, made.files.get("pdf"), made.facts)
    files = made.files | ({"pdf": sealed} if sealed is not None else {})
    save(installation, report, files, "report.made", made.proof, made.facts)


def seal(installation: Installation, pdf: bytes | None, facts: dict[str, Any]) -> bytes | None:
    """The PDF with the installation's signature; as it is when there are no keys and no token."""
    settings = installation.settings
    keys = key_files(settings) if settings.report_pkcs11_library else ensure_keys(settings, installation.clock)
    if pdf is None or keys is None:
        return pdf
    reason = f"Report {facts['run']}, data {facts['data_sha256'][:16]}"
    return sign_pdf(pdf, keys, settings, reason=reason, location=facts["factory"]["name"])


def save(
    installation: Installation, report: Report, files: dict[str, bytes], kind: str, proof: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Writes files and proof; earlier files of the same kinds are marked as replaced."""
    settings, now = installation.settings, installation.clock.now()
    objects = ObjectStore(settings)
    rows = []
    for name, content in sorted(files.items()):
        digest = sha256(content)
        path = f"factories/{report.factory_id}/reports/{report.id}/{digest[:12]}-{file_name(facts['run'], name)}"
        objects.write(path, content)
        rows.append(
            ReportFile(
                report_id=report.id,
                kind=name,
                name=file_name(facts["run"], name),
                path=path,
                size_bytes=len(content),
                sha256=digest,
                created_at=now,
            )
        )
    with tenant_session(installation.db, report.factory_id, write=True) as session:
        row = session.get_one(Report, report.id)
        for old in (f for f in _files(session, report.id) if f.kind in files and f.replaced_at is None):
            old.replaced_at = now
        session.add_all(rows)
        main = next((r for r in rows if r.kind == row.format), rows[0])
        row.status, row.stage, row.progress_percent, row.error_message = "complete", None, 100, None
        row.file_url, row.file_size_bytes = main.path, main.size_bytes
        row.completed_at = row.completed_at or now
        row.expires_at = row.expires_at or now + reports.retention(settings, row.report_type)
        row.snapshot_id, row.data_sha256, row.run_label = facts["snapshot_id"], facts["data_sha256"], facts["run"]
        entry = proof | {"files": {r.name: {"kind": r.kind, "sha256": r.sha256, "size_bytes": r.size_bytes} for r in rows}}
        ledger.append(session, report.factory_id, kind, report.id, now, entry)


def _files(session: Session, report_id: str) -> list[ReportFile]:
    return list(session.scalars(select(ReportFile).where(ReportFile.report_id == report_id)))


def expire(installation: Installation) -> int:
    """Deletes the files of reports whose time is over; returns how many reports. Rows and ledger stay."""
    objects, over = ObjectStore(installation.settings), reports.expired(installation.db, installation.clock.now())
    for report in over:
        for file in reports.files(installation.db, report.factory_id, report.id):
            objects.delete(file.path)
        reports.note_expiry(installation.db, installation.clock, report.factory_id, report.id)
    return len(over)
