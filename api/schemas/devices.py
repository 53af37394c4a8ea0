"""Machines and their values."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas.common import Body, Moment, Schema

Text255 = Annotated[str, Field(max_length=255)]


class DeviceOut(Schema):
    """A machine."""

    id: int
    device_key: str
    name: str | None
    manufacturer: str | None
    model: str | None
    region: str | None
    is_active: bool
    last_seen: Moment | None
    created_at: Moment
    updated_at: Moment


class DeviceInList(DeviceOut):
    """A machine with how it is now."""

    health_score: int | None
    """0 to 100; null while the machine is offline or inactive."""
    current_energy_kw: float | None
    active_alert_count: int


class DeviceChange(Body):
    """What is to be changed of a machine; what is not given, or null, stays."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"name": "CNC Mill - Station B (Updated)", "region": "Line 4"}]}
    )

    name: Text255 | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    manufacturer: Text255 | None = None
    model: Text255 | None = None
    region: Text255 | None = None
    importance: Annotated[float, Field(ge=0, le=100)] | None = None
    """What it weighs in the factory's health score: 2 counts double, 0 not at all."""
    is_active: bool | None = None


class LiveKpi(Schema):
    """One selected parameter, now."""

    parameter_key: str
    display_name: str
    unit: str
    value: float | str | None
    is_stale: bool


class LiveKpis(Schema):
    """All selected parameters of a machine, now."""

    device_id: int
    timestamp: Moment
    kpis: list[LiveKpi]


class Point(Schema):
    """The mean of one interval."""

    timestamp: Moment
    """Start of the interval."""
    value: float


class History(Schema):
    """One parameter over time."""

    parameter_key: str
    display_name: str
    unit: str
    interval: str
    points: list[Point]
