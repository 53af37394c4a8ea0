"""Rules tried on the past, and what looks wrong in them."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, model_validator

from api.schemas.common import Body, Moment, MomentIn, Schema
from api.schemas.rules import RuleChange

LONGEST: Final = timedelta(days=92)


class BacktestIn(Body):
    """The past to try a rule on: [since, until), at most 92 days."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"since": "2026-02-01T00:00:00Z", "until": "2026-02-19T00:00:00Z", "changed": {"cooldown_minutes": 30}}]
        },
    )

    since: MomentIn
    until: MomentIn
    changed: RuleChange | None = None
    """What to try instead of the present version, beside it. Machines cannot be changed."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "BacktestIn":
        if not timedelta(0) < self.until - self.since <= LONGEST:
            message = f"until comes after since, by at most {LONGEST.days} days"
            raise ValueError(message)
        return self


class EpisodeOut(Schema):
    """An alert that would have been raised."""

    device_id: int
    start: Moment
    """Before `since` when the alert already went on as the period began."""
    end: Moment | None
    """None: it goes on at the end of the period."""
    values: dict[str, Any]
    repeats: int


class BacktestOut(Schema):
    """What a version of a rule would have raised."""

    since: Moment
    until: Moment
    device_ids: list[int]
    alerts: int
    per_day: dict[str, int]
    """By day of the factory's calendar; what already went on at `since` counts on the first day."""
    share_firing: Annotated[float, Field(ge=0)]
    """Share of the machines' time, from 0 to 1, during which an alert was going on."""
    readings: int
    episodes: list[EpisodeOut]
    """The first 500."""


class TrialOut(Schema):
    """A rule on the past; with changes also the present version and how they differ."""

    tried: BacktestOut
    present: BacktestOut | None
    only_tried: int | None
    """Alerts that the present version would not have raised."""
    only_present: int | None
    both: int | None


class WarningOut(Schema):
    """What the author of a rule probably did not mean."""

    kind: str
    parameter: str
    message: str
