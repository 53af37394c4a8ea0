"""Reports of the caller's factory: order, follow, download, sign, verify. A report of another factory does not exist here."""

from typing import Annotated
from uuid import UUID

from fastapi import HTTPException, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select

from api.dependencies import IdempotencyKey, Inst, PageOf, Reporter, Who, Worker
from api.routing import Router
from api.schemas.common import Page
from api.schemas.reports import DeliveryOut, FileOut, Kind, ReportIn, ReportOut, SignatureOut, SignIn, VerificationOut
from assets.launch import REPORT, launch
from assets.reporting import logo
from assets.reporting.deliveries import deliveries
from assets.reporting.downloads import stored_file
from assets.reporting.draft import draft_page
from assets.reporting.parameters import LONGEST_PERIOD, ReportOrder
from warehouse import reports
from warehouse.errors import InvalidInputError
from warehouse.idempotency import Asked, once
from warehouse.installation import Installation
from warehouse.models.work import Report
from warehouse.objects import ObjectStore
from warehouse.tenancy import tenant_session

router = Router(prefix="/reports", tags=["reports"])
ReportId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
LARGEST_FILE_BYTES = 64 * 1024 * 1024
FILE_IN_BODY = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
MEDIA = {
    "pdf": "application/pdf", "excel": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "json": "application/json",
    "html": "text/html", "csv": "text/csv", "parquet": "application/vnd.apache.parquet", "preview": "image/png",
}  # fmt: skip


@router.post("", operation_id="createReport", status_code=201, responses={409: {}})
def create_report(asked: ReportIn, who: Reporter, inst: Inst, key: IdempotencyKey = None) -> ReportOut:
    """Orders a report; it is made in the background. Follow it with GET."""
    _check_period(asked)
    wanted = reports.NewReport(
        asked.date_range_start, asked.date_range_end, list(dict.fromkeys([asked.format, *asked.also])), report_type=asked.report_type,
        title=asked.title, device_ids=asked.device_ids, language=asked.language, include_analytics=asked.include_analytics,
        analytics_job_id=asked.analytics_job_id,
    )  # fmt: skip

    def start() -> str:
        row = reports.order(inst.db, inst.clock, who.factory_id, who.user_id, wanted)
        launch(inst.settings, REPORT, row.id)
        return row.id

    request = Asked(who.factory_id, who.user_id, "report.order", key, asked.model_dump(mode="json"))
    report_id, _ = once(inst.db, inst.clock, request, start)
    return _out(inst, reports.find(inst.db, who.factory_id, report_id))


@router.post("/preview", operation_id="previewReport", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def preview_report(asked: ReportIn, who: Reporter, inst: Inst) -> Response:
    """The first page of the report that this order would give, as PNG. Nothing is stored."""
    _check_period(asked)
    if asked.device_ids:
        reports.check_devices(inst.db, who.factory_id, asked.device_ids)
    order = ReportOrder(
        report_id=str(UUID(int=0)), report_type=asked.report_type, title=asked.title or "", device_ids=tuple(asked.device_ids),
        start=asked.date_range_start, end=asked.date_range_end, language=asked.language, prepared_at=inst.clock.now(),
    )  # fmt: skip
    return Response(
        draft_page(inst.settings, who.factory_id, order), media_type="image/png", headers={"Cache-Control": "private, no-store"}
    )


@router.put("/logo", operation_id="setReportLogo", status_code=204, openapi_extra=FILE_IN_BODY)
async def set_report_logo(request: Request, who: Reporter, inst: Inst) -> None:
    """The PNG or JPEG in the body stands on the cover of the factory's reports from now on; at most 4 MiB."""
    content = await _body(request, logo.LARGEST_BYTES)
    await run_in_threadpool(logo.set_logo, inst, who.factory_id, who.user_id, content)


@router.delete("/logo", operation_id="removeReportLogo", status_code=204)
def remove_report_logo(who: Reporter, inst: Inst) -> None:
    """Our own mark stands on the cover again."""
    logo.remove_logo(inst, who.factory_id, who.user_id)


def _check_period(asked: ReportIn) -> None:
    if asked.date_range_start >= asked.date_range_end:
        raise InvalidInputError("the period must end after it starts", path="date_range_end")
    if asked.date_range_end - asked.date_range_start > LONGEST_PERIOD:
        raise InvalidInputError(f"a report covers at most {LONGEST_PERIOD.days} days", path="date_range_end")


async def _body(request: Request, most: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise HTTPException(413, f"The file is larger than {most // 1024**2} MiB.")
    return bytes(content)


@router.get("", operation_id="listReports")
def list_reports(who: Who, inst: Inst, paging: PageOf) -> Page[ReportOut]:
    """Reports, newest first."""
    with tenant_session(inst.db, who.factory_id) as session:
        total = session.scalar(select(func.count(Report.id))) or 0
    rows = reports.latest(inst.db, who.factory_id, paging.per_page, paging.offset)
    return Page(data=[_out(inst, row, is_list=True) for row in rows], total=total, page=paging.page, per_page=paging.per_page)


@router.post("/verify", operation_id="verifyReport", openapi_extra=FILE_IN_BODY)
async def verify_report(request: Request, who: Who, inst: Inst) -> VerificationOut:
    """Is the file in the body genuine, altered, unsigned or unknown? At most 64 MiB; nothing is kept."""
    content = await _body(request, LARGEST_FILE_BYTES)
    from assets.reporting import proof  # noqa: PLC0415  # 150 MB of PDF and chart libraries that most requests need not

    found = await run_in_threadpool(proof.verify, inst, who.factory_id, content)
    return VerificationOut(**{name: getattr(found, name) for name in VerificationOut.model_fields})


@router.get("/{report_id}", operation_id="getReport")
def get_report(report_id: ReportId, who: Who, inst: Inst) -> ReportOut:
    """One report: status, progress, files, signatures."""
    return _out(inst, reports.find(inst.db, who.factory_id, report_id))


@router.get("/{report_id}/download", operation_id="downloadReport", response_class=RedirectResponse, status_code=302)
def download_report(request: Request, report_id: ReportId, who: Who, inst: Inst, kind: Kind | None = None) -> RedirectResponse:
    """302 to the file: a presigned address of the store for five minutes, or our own guarded one."""
    row = reports.find(inst.db, who.factory_id, report_id)
    found = reports.current_file(inst.db, who.factory_id, report_id, kind or row.format)
    link = ObjectStore(inst.settings).link(found.path, found.name)
    own = request.scope.get("root_path", "") + request.app.url_path_for("get_report_file", report_id=report_id, kind=found.kind)
    return RedirectResponse(link or own, 302)


@router.get("/{report_id}/files/{kind}", operation_id="getReportFile", response_class=Response)
def get_report_file(report_id: ReportId, kind: Kind, who: Who, inst: Inst) -> Response:
    """The file itself; checked against its digest first, so that a swapped one never leaves."""
    name, content = stored_file(inst, who.factory_id, report_id, kind)
    place = "inline" if kind == "preview" else "attachment"
    return Response(
        content,
        media_type=MEDIA[kind],
        headers={"Content-Disposition": f'{place}; filename="{name}"', "Cache-Control": "private, no-store"},
    )


@router.post("/{report_id}/signatures", operation_id="signReport", status_code=201)
def sign_report(report_id: ReportId, asked: SignIn, who: Worker, inst: Inst) -> SignatureOut:
    """Reviews or approves: password again, meaning in words. 403 for a wrong password."""
    from assets.reporting import proof  # noqa: PLC0415  # as above

    try:
        signed = proof.sign(
            inst, who.factory_id, report_id, who.user_id, password=asked.password, meaning=asked.meaning, comment=asked.comment
        )
    except proof.SigningRefusedError as refused:
        raise HTTPException(403, refused.message) from refused
    return SignatureOut(**{name: getattr(signed, name) for name in SignatureOut.model_fields})


@router.delete("/{report_id}", operation_id="deleteReport", status_code=204, responses={409: {}})
def delete_report(report_id: ReportId, who: Reporter, inst: Inst) -> None:
    """Deletes a pending or failed report; 409 for others."""
    try:
        reports.delete(inst.db, inst.clock, who.factory_id, report_id, who.user_id)
    except InvalidInputError as refused:
        raise HTTPException(409, refused.message) from refused


def _out(inst: Installation, row: Report, *, is_list: bool = False) -> ReportOut:
    own = {name: getattr(row, name) for name in ReportOut.model_fields if name not in {"files", "signatures", "deliveries", "run"}}
    if is_list:
        return ReportOut(**own, run=row.run_label)
    files = [f for f in reports.files(inst.db, row.factory_id, row.id) if f.replaced_at is None and f.kind in reports.DOWNLOADS]
    signatures = reports.signatures(inst.db, row.factory_id, row.id)
    sent = deliveries(inst, row.factory_id, row.id)
    return ReportOut(
        **own,
        run=row.run_label,
        files=[FileOut(kind=f.kind, name=f.name, size_bytes=f.size_bytes, sha256=f.sha256) for f in files],
        signatures=[SignatureOut(**{name: getattr(s, name) for name in SignatureOut.model_fields}) for s in signatures],
        deliveries=[DeliveryOut(**{name: getattr(d, name) for name in DeliveryOut.model_fields}) for d in sent],
    )
