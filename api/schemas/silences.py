"""Silences and maintenance windows."""

from typing import Any

from pydantic import Field

from api.schemas.common import Body, Moment, MomentIn, Schema


class SilenceOut(Schema):
    """A silence; whatever of device, rule and region is null, is any."""

    id: int
    device_id: int | None
    rule_id: int | None
    region: str | None
    reason: str
    starts_at: Moment
    ends_at: Moment
    schedule: dict[str, Any] | None
    created_by: int | None
    created_at: Moment


class SilenceIn(Body):
    """A silence to be made. Without a start it begins now; `schedule` is a time window in the factory's time zone."""

    device_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    rule_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    region: str | None = Field(default=None, min_length=1, max_length=255)
    reason: str = Field(min_length=1, max_length=500)
    starts_at: MomentIn | None = None
    ends_at: MomentIn
    schedule: dict[str, Any] | None = None


class SilenceEnd(Body):
    """The new end of a silence."""

    ends_at: MomentIn
