"""Whom to tell of alerts, how, and what could not be delivered."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.common import Body, Moment, Schema

Severity = Literal["critical", "high", "medium", "low"]


class Preference(Body):
    """How a person wants to hear on one channel. `hours` is a time window in the factory's time zone; critical alerts come at any hour."""

    channel: Literal["email", "whatsapp"]
    is_on: bool = True
    least_severity: Severity = "low"
    hours: dict[str, Any] | None = None
    digest_up_to: Literal["high", "medium", "low"] | None = None
    digest_every_minutes: int = Field(default=60, ge=5, le=1440)
    wants_all_clear: bool = True


class Step(Schema):
    """Who is told this many minutes after the alert, unless it is acknowledged. 0: is told first, and nobody else is."""

    after_minutes: float = Field(ge=0, le=10_080)
    user_id: int = Field(ge=1, le=2**31 - 1)


class ChainIn(Body):
    """An escalation chain; without a rule it is for all rules that have none of their own."""

    name: str = Field(min_length=1, max_length=255)
    rule_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    least_severity: Severity = "high"
    steps: list[Step] = Field(max_length=20)
    reminder_every_minutes: float | None = Field(default=None, ge=1, le=10_080)
    most_reminders: int = Field(default=3, ge=0, le=100)
    is_active: bool = True


class ChainOut(ChainIn):
    """An escalation chain as it is."""

    id: int


class WebhookIn(Body):
    """Another system to be told by signed POST requests."""

    name: str = Field(min_length=1, max_length=255)
    url: str = Field(min_length=1, max_length=1000)
    least_severity: Severity = "low"


class WebhookPatch(Body):
    """What is to change of a webhook; what is not given stays."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    url: str | None = Field(default=None, min_length=1, max_length=1000)
    least_severity: Severity | None = None
    is_active: bool | None = None


class WebhookOut(WebhookIn):
    """A webhook as it is."""

    id: int
    is_active: bool
    created_at: Moment


class NewWebhook(WebhookOut):
    """A webhook that was just made: its secret is shown this once."""

    secret: str


class Undelivered(Schema):
    """A message that was given up, or skipped because its channel is not set up."""

    id: int
    alert_id: int | None
    kind: str
    channel: str
    recipient: str
    subject: str
    status: str
    attempts: int
    last_error: str | None
    created_at: Moment
