"""Analyses of the caller's factory. An analysis of another factory does not exist here."""

from typing import Annotated

from fastapi import Depends, Path, Request, Response

from api.dependencies import Acting, Analyst, IdempotencyKey, Inst, PageOf, Who, needs
from api.routing import Router
from api.schemas.analytics import JobBegun, JobFile, JobIn, JobOut, JobType, Status
from api.schemas.common import Data, Page
from assets.launch import ANALYSIS, launch
from warehouse.analysis_retention import EXPIRED
from warehouse.errors import NotFoundError
from warehouse.idempotency import Asked, once
from warehouse.installation import Installation
from warehouse.jobs import NewJob, cancel_job, delete_job, find_job, list_jobs, order_job
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore

router = Router(prefix="/analytics/jobs", tags=["analytics"])
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,60}\.(json|parquet|svg)$")]
MEDIA = {"json": "application/json", "parquet": "application/vnd.apache.parquet", "svg": "image/svg+xml"}
JobId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
FOR_ANALYSTS = [Depends(needs("run_analytics"))]


@router.post("", operation_id="createAnalyticsJob", status_code=201, dependencies=FOR_ANALYSTS, responses={409: {}})
def create_job(body: JobIn, inst: Inst, actor: Acting, key: IdempotencyKey = None) -> Data[JobBegun]:
    """Orders an analysis; it runs in the background."""
    new = NewJob(body.job_type, body.mode, body.device_ids, body.date_range_start, body.date_range_end, body.parameters)

    def start() -> str:
        job_id = order_job(inst.db, inst.clock, actor, new).id
        launch(inst.settings, ANALYSIS, job_id)
        return job_id

    asked = Asked(actor.factory_id, actor.user_id or 0, "analysis.order", key, body.model_dump(mode="json"))
    job_id, _ = once(inst.db, inst.clock, asked, start)
    return Data(data=JobBegun.model_validate({"job_id": job_id, "status": find_job(inst.db, actor.factory_id, job_id).status}))


@router.get("", operation_id="listAnalyticsJobs")
def list_all(
    who: Who, inst: Inst, request: Request, paging: PageOf, status: Status | None = None, job_type: JobType | None = None
) -> Page[JobOut]:
    """Analyses, newest first."""
    rows, total = list_jobs(inst.db, who.factory_id, status=status, job_type=job_type, limit=paging.per_page, offset=paging.offset)
    return Page(data=[_out(row, request) for row in rows], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/{job_id}", operation_id="getAnalyticsJob")
def get_job(job_id: JobId, who: Who, inst: Inst, request: Request) -> Data[JobOut]:
    """One analysis: how far it is, and where its result is."""
    return Data(data=_out(find_job(inst.db, who.factory_id, job_id), request))


@router.get(
    "/{job_id}/result", operation_id="getAnalyticsResult", response_class=Response, responses={200: {"content": {"application/json": {}}}}
)
def get_result(job_id: JobId, who: Who, inst: Inst) -> Response:
    """The result of a complete analysis. 404 while there is none."""
    return Response(_result(inst, find_job(inst.db, who.factory_id, job_id)), media_type="application/json")


@router.get("/{job_id}/files/{file_name}", operation_id="getAnalyticsFile", response_class=Response)
def get_file(job_id: JobId, file_name: FileName, who: Who, inst: Inst) -> Response:
    """One file of a complete analysis: tables as Parquet, charts as SVG, the result as JSON; `files` of the analysis names them."""
    job = find_job(inst.db, who.factory_id, job_id)
    if not job.result_url or file_name not in {file["name"] for file in job.files or []}:
        raise NotFoundError("there is no such file of an analysis in this factory", noun="file", key=file_name)
    content = ObjectStore(inst.settings).read(f"{job.result_url.rpartition('/')[0]}/{file_name}")
    # A drawing may hold names that machines gave themselves: shown by itself it may run nothing and load nothing.
    headers = {
        "Content-Disposition": f'attachment; filename="{job.job_type}-{file_name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Cache-Control": "private, no-store",
    }
    return Response(content, media_type=MEDIA[file_name.rpartition(".")[2]], headers=headers)


@router.post("/{job_id}/cancel", operation_id="cancelAnalyticsJob", dependencies=FOR_ANALYSTS, responses={409: {}})
def cancel(job_id: JobId, inst: Inst, actor: Acting, who: Analyst, request: Request) -> Data[JobOut]:
    """Cancels an analysis: one that waits fails at once, one that runs at its next step. 409 for one that is over."""
    return Data(data=_out(cancel_job(inst.db, inst.clock, actor, job_id, who.name), request))


@router.delete("/{job_id}", operation_id="deleteAnalyticsJob", status_code=204, dependencies=FOR_ANALYSTS, responses={409: {}})
def remove_job(job_id: JobId, inst: Inst, actor: Acting) -> Response:
    """Deletes a pending or failed analysis; 409 for others."""
    delete_job(inst.db, inst.clock, actor, job_id)
    return Response(status_code=204)


def _result(inst: Installation, job: AnalyticsJob) -> bytes:
    if not job.result_url:
        words = "the time of its files is over (ANALYSIS_RETENTION_DAYS)" if job.stage == EXPIRED else "the analysis has no result yet"
        raise NotFoundError(words, noun="result", key=job.id)
    return ObjectStore(inst.settings).read(job.result_url)


def _out(job: AnalyticsJob, request: Request) -> JobOut:
    ours = {"job_id", "result_url", "files"}
    own = {name: getattr(job, name) for name in JobOut.model_fields if name not in ours}
    root = request.scope.get("root_path", "")
    place = root + request.app.url_path_for("get_result", job_id=job.id)
    files = [
        JobFile(**file, url=root + request.app.url_path_for("get_file", job_id=job.id, file_name=file["name"])) for file in job.files or []
    ]
    return JobOut.model_validate({**own, "job_id": job.id, "result_url": place if job.result_url else None, "files": files})
