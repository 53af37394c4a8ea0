"""Analyses as the API takes and gives them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.common import Body, Moment, MomentIn, Schema

JobType = Literal["anomaly", "failure_prediction", "energy_forecast", "ai_copilot"]
Mode = Literal["standard", "ai_copilot"]
Status = Literal["pending", "running", "complete", "failed"]


class JobIn(Body):
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
    parameters: Annotated[dict[Annotated[str, Field(max_length=50)], int | float | str | bool], Field(max_length=20)] | None = None
    """Wishes of the kind of analysis, such as `horizon_days` of a forecast; docs/analytics.md names them."""


class JobBegun(Schema):
    """An analysis that waits for its run. Follow it with GET."""

    job_id: str
    status: Status


class JobFile(Schema):
    """One file of a result."""

    name: str
    size_bytes: int
    sha256: str
    url: str
    """Path on this host."""


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
    headline: str | None
    """The result in one sentence."""
    files: list[JobFile]
    error_message: str | None
    """Why it failed, or who cancelled it, in words."""
    parameters: dict[str, Any] | None
    schedule_id: str | None
    """Which schedule ordered it."""
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None


class ScheduleIn(Body):
    """What to analyse again and again: the last `days` days at each time of `cron`, which is on the factory's clock."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"name": "Every Monday", "job_type": "anomaly", "cron": "0 5 * * 1", "days": 7}]},
    )

    name: Annotated[str, Field(min_length=1, max_length=255)]
    job_type: JobType
    mode: Mode = "standard"
    cron: Annotated[str, Field(max_length=100)]
    days: Annotated[int, Field(ge=1, le=366)]
    device_ids: Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=500, default_factory=list)]
    """Empty: every machine that is active at the time."""
    parameters: Annotated[dict[Annotated[str, Field(max_length=50)], int | float | str | bool], Field(max_length=20)] | None = None


class ScheduleOut(Schema):
    """An analysis that is ordered again and again."""

    id: str
    name: str
    job_type: str
    mode: str
    cron: str
    days: int
    device_ids: list[int]
    parameters: dict[str, Any] | None
    is_active: bool
    next_due_at: Moment
    created_at: Moment


class ScheduleSwitch(Body):
    """Pause or resume."""

    is_active: bool


class Anomaly(Schema):
    """A span in which a machine was not as usual."""

    device_id: int
    started_at: Moment
    ended_at: Moment
    score: float
    """1 is the limit of what is usual."""
    contributions: Any
    """Which parameters made it so, and how much."""
    sentence: str | None
    model_version: str | None
    job_id: str | None


class Risk(Schema):
    """How probable a failure of a machine is within a horizon."""

    device_id: int
    ts: Moment
    horizon_h: float
    probability: float | None
    remaining_life_h: float | None
    remaining_life_low_h: float | None
    remaining_life_high_h: float | None
    reasons: Any
    model_version: str | None
    job_id: str | None


class Expected(Schema):
    """Energy that is expected in one interval."""

    ts: Moment
    interval_s: float
    kwh: float
    kwh_low_80: float | None
    kwh_high_80: float | None
    kwh_low_95: float | None
    kwh_high_95: float | None
    cost: float | None
    """In the tariff's currency."""
    model: str | None
    made_at: Moment


class Question(Body):
    """A question in plain words."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"question": "Which machine wastes most energy?"}]}
    )

    question: Annotated[str, Field(min_length=1, max_length=500)]


class Sentence(Schema):
    """A sentence of the answer, and the ids of the sources that prove it."""

    text: str
    sources: list[str]


class SourceOut(Schema):
    """What a sentence rests on."""

    id: str
    words: str
    path: str
    """Page of the dashboards that shows it."""
    facts: dict[str, Any]


class AnswerOut(Schema):
    """What the factory's data say. No sources: the question cannot be answered from them."""

    sentences: list[Sentence]
    sources: list[SourceOut]
    note: str
    model: str
    """Language model that worded it; empty without one."""
