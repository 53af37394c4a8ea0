"""Rules as the API takes and gives them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.common import Body, Moment, Schema

Name = Annotated[str, Field(min_length=1, max_length=255)]
Description = Annotated[str, Field(max_length=2000)]
Scope = Literal["device", "global"]
Severity = Literal["critical", "high", "medium", "low"]
ScheduleType = Literal["always", "time_window", "date_range"]
Cooldown = Annotated[float, Field(ge=0, le=7 * 24 * 60)]
DeviceIds = Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=500)]
Conditions = Annotated[dict[str, Any], Field(description="When it alerts: a tree of comparisons, as docs/rules.md says.")]
SPINDLE: dict[str, Any] = {
    "operator": "AND",
    "conditions": [{"parameter": "spindle_temp", "operator": "gt", "threshold": 80}],
}


class Channels(Schema):
    """On which ways people are told."""

    email: bool = False
    whatsapp: bool = False


class RuleIn(Body):
    """A new rule."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "Spindle Overheat",
                    "description": "Alert when spindle temperature is too high",
                    "scope": "device",
                    "device_ids": [5],
                    "conditions": SPINDLE,
                    "cooldown_minutes": 15,
                    "severity": "critical",
                    "schedule_type": "always",
                    "notification_channels": {"email": True, "whatsapp": False},
                }
            ]
        },
    )

    name: Name
    description: Description | None = None
    scope: Scope = "device"
    device_ids: DeviceIds = Field(default_factory=list)
    """The machines that it watches; none for scope `global`."""
    conditions: Conditions
    cooldown_minutes: Cooldown = 15
    severity: Severity = "medium"
    schedule_type: ScheduleType = "always"
    schedule_config: dict[str, Any] | None = None
    notification_channels: Channels | None = None
    """None: by e-mail."""
    is_active: bool = True


class RuleChange(Body):
    """What is to be changed; what is not given, or null, stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"cooldown_minutes": 30, "severity": "high"}]})

    name: Name | None = None
    description: Description | None = None
    scope: Scope | None = None
    device_ids: DeviceIds | None = None
    conditions: Conditions | None = None
    cooldown_minutes: Cooldown | None = None
    severity: Severity | None = None
    schedule_type: ScheduleType | None = None
    schedule_config: dict[str, Any] | None = None
    notification_channels: Channels | None = None
    is_active: bool | None = None


class RuleOut(Schema):
    """A rule."""

    id: int
    name: str
    description: str | None
    scope: str
    device_ids: list[int]
    conditions: dict[str, Any]
    cooldown_minutes: float
    is_active: bool
    schedule_type: str
    schedule_config: dict[str, Any] | None
    severity: str
    notification_channels: dict[str, Any] | None
    created_by: int | None
    created_at: Moment
    updated_at: Moment


class RuleSaved(RuleOut):
    """A rule as it was saved."""

    warnings: list[str]
    """What its author probably did not mean: unknown parameters, limits that the last 30 days never or always crossed, units,
    contradictions, rules that overlap. It is saved nevertheless."""
