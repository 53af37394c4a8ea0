"""Alerts."""

from typing import Any

from pydantic import Field

from api.schemas.common import Body, Moment, Schema

LONGEST_COMMENT = 1000


class AlertOut(Schema):
    """One alert."""

    id: int
    rule_id: int
    rule_name: str
    device_id: int
    device_name: str
    status: str
    """`triggered`, `acknowledged` or `resolved`."""
    triggered_at: Moment
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    assigned_to_id: int | None
    assigned_to: str | None
    cleared_at: Moment | None
    resolved_at: Moment | None
    resolved_by: str | None
    is_resolved_automatically: bool
    is_silenced: bool
    repeat_count: int
    last_raised_at: Moment | None
    severity: str
    message: str
    telemetry_snapshot: dict[str, Any]


class Resolve(Body):
    """Why the alert is over; may be left out."""

    comment: str | None = Field(default=None, max_length=LONGEST_COMMENT)


class Acknowledge(Body):
    """What to tell the others; may be left out."""

    comment: str | None = Field(default=None, max_length=LONGEST_COMMENT)


class Assign(Body):
    """Who is responsible from now on; null: nobody."""

    assignee_id: int | None = Field(ge=1, le=2**31 - 1)
    comment: str | None = Field(default=None, max_length=LONGEST_COMMENT)


class Comment(Body):
    """A line of the alert's thread."""

    comment: str = Field(min_length=1, max_length=LONGEST_COMMENT)


class Resolved(Schema):
    """When the alert was resolved."""

    id: int
    resolved_at: Moment


class HistoryOut(Schema):
    """One line of an alert's history."""

    kind: str
    happened_at: Moment
    person: str | None
    """null: the system itself."""
    comment: str | None
    details: dict[str, Any]
