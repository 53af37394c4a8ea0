"""Analyses as the API takes and gives them."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.schemas.common import Moment, MomentIn, Schema

JobType = Literal["anomaly", "failure_prediction", "energy_forecast", "ai_copilot"]
Mode = Literal["standard", "ai_copilot"]
Status = Literal["pending", "running", "complete", "failed"]


class JobIn(Schema):
    """What to analyse, over [date_range_start, date_range_end)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "job_type": "anomaly",
                    "mode": "standard",
                    "device_ids": [5, 6, 7],
                    "date_range_start": "2026-02-01T00:00:00Z",
                    "date_range_end": "2026-02-19T00:00:00Z",
                }
            ]
        },
    )

    job_type: JobType
    """`anomaly`: isolation forest; `failure_prediction`: random forest; `energy_forecast`: Prophet; `ai_copilot`: insights in words."""
    mode: Mode = "standard"
    device_ids: Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(min_length=1, max_length=500)]
    date_range_start: MomentIn
    date_range_end: MomentIn


class JobBegun(Schema):
    """An analysis that waits for its run. Follow it with GET."""

    job_id: str
    status: Status


class JobOut(JobBegun):
    """An analysis."""

    job_type: str
    mode: str
    device_ids: list[int]
    date_range_start: Moment
    date_range_end: Moment
    progress_percent: float
    stage: str | None
    result_url: str | None
    """Path of the result on this host; None while there is none."""
    error_message: str | None
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
