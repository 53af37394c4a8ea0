"""What may be asked of a report, checked before a kernel starts; and what every report knows of itself."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

ReportType = Literal["compliance", "weekly_equipment", "energy", "alarm_review"]
Format = Literal["pdf", "excel", "json", "html", "csv", "parquet"]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]
"""A mail address."""
REPORT_TYPES: Final[dict[str, str]] = {
    "compliance": "Compliance report",
    "weekly_equipment": "Weekly equipment report",
    "energy": "Energy report",
    "alarm_review": "Alarm review",
}
"""Type of report to the title that it has by itself."""
LONGEST_PERIOD: Final = timedelta(days=92)
SHORTEST_PERIOD: Final = timedelta(hours=1)
MOST_DEVICES: Final = 500


class ReportOrder(BaseModel):
    """An order for a report: what was asked for, by whom, when. Everything that decides the content of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{8,36}$")]
    report_type: ReportType = "compliance"
    title: Annotated[str, StringConstraints(max_length=255)] = ""
    """Empty: the type's own title in the report's language."""
    device_ids: Annotated[tuple[int, ...], Field(max_length=MOST_DEVICES)] = ()
    """Empty: every active machine."""
    start: Moment
    end: Moment
    """The period is [start, end), in quarters of an hour."""
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("pdf",)
    language: Literal["en", "de", "vi"] = "en"
    paper: Literal["a4", "us-letter"] = "a4"
    include_analytics: bool = False
    analytics_job_id: str | None = None
    prepared_by: str = "FactoryOps"
    prepared_for: str = ""
    """Schedule or person that ordered it, as the cover prints it."""
    prepared_at: Moment
    keep_until: Moment | None = None
    """When its files are deleted, as the cover prints it."""

    @model_validator(mode="after")
    def _sensible_period(self) -> Self:
        length = self.end - self.start
        if length < SHORTEST_PERIOD:
            message = "the period must be at least an hour long and end after it starts"
            raise ValueError(message)
        if length > LONGEST_PERIOD:
            message = f"the period is {length.days} days long; a report covers at most {LONGEST_PERIOD.days} days"
            raise ValueError(message)
        return self

    @property
    def previous_start(self) -> datetime:
        """The period before has the same length and ends where this one starts."""
        return self.start - (self.end - self.start)


class ScheduleOrder(BaseModel):
    """An order for a report that is made again and again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    """Also the title of its reports."""
    report_type: ReportType = "compliance"
    device_ids: Annotated[tuple[int, ...], Field(max_length=MOST_DEVICES)] = ()
    """Empty: every active machine."""
    formats: Annotated[tuple[Format, ...], Field(min_length=1, max_length=6)] = ("pdf",)
    recipients: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    cron: Annotated[str, StringConstraints(max_length=100)]
    """Five fields, on the factory's clock."""
    period: Literal["day", "week", "month"] = "week"
    """The last whole one before the report is due."""
    language: Literal["en", "de", "vi"] = "en"
    delivery: Literal["link", "attachment"] = "link"
    catches_up: bool = True
    """Whether reports that came due while nothing ran are made afterwards, or only the newest."""


class NotebookParameters(BaseModel):
    """The parameters cell of every report notebook: nothing else may be injected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_directory: str = ""
    """Folder with the frames; empty in Jupyter, where `factory` and `days` say what to look at."""
    factory: str = ""
    days: Annotated[int, Field(ge=1, le=92)] = 7


def run_label(slug: str, start: datetime, zone: str, report_id: str) -> str:
    """The number of a run as people quote it: factory, first day on the factory's clock, and the report's id."""
    return f"RPT-{slug.upper()}-{start.astimezone(ZoneInfo(zone)):%Y%m%d}-{report_id[:8]}"
