"""Alerts."""

from typing import Any

from pydantic import Field

from api.schemas.common import Moment, Schema


class AlertOut(Schema):
    """One alert."""

    id: int
    rule_id: int
    rule_name: str
    device_id: int
    device_name: str
    triggered_at: Moment
    acknowledged_at: Moment | None
    resolved_at: Moment | None
    severity: str
    message: str
    telemetry_snapshot: dict[str, Any]


class Resolve(Schema):
    """Why the alert is over; may be left out."""

    comment: str | None = Field(default=None, max_length=1000)


class Resolved(Schema):
    """When the alert was resolved."""

    id: int
    resolved_at: Moment
