"""Machines registered, their keys, their parameters, and what was noticed of them."""

from typing import Annotated

from pydantic import Field

from api.schemas.common import Body, Moment, Schema
from api.schemas.devices import DeviceOut

Text255 = Annotated[str, Field(max_length=255)]


class DeviceIn(Body):
    """A machine to be registered."""

    device_key: Annotated[str, Field(min_length=1, max_length=100)]
    """What it is called in its topic, such as `M01`."""
    name: Text255 | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    manufacturer: Text255 | None = None
    model: Text255 | None = None
    region: Text255 | None = None


class KeyOut(Schema):
    """With what a machine signs in to the broker. The password is shown this once."""

    mqtt_user_name: str
    mqtt_password: str
    mqtt_topic: str


class DeviceRegistered(DeviceOut, KeyOut):
    """A new machine, its key, and how many messages it had sent before: POST .../replay takes them in."""

    waiting_messages: int
    waiting_since: Moment | None


class ReplayOut(Schema):
    """What a replay did."""

    accepted: int
    still_refused: dict[str, int]
    """Letters that stay, by reason."""


class NoteOut(Schema):
    """Something about a machine that a person should know."""

    kind: str
    said: str
    parameter_key: str
    detail: str
    count: int
    first_at: Moment
    last_at: Moment


class ParameterOut(Schema):
    """One measurement of a machine."""

    id: int
    parameter_key: str
    display_name: str
    unit: str
    data_type: str
    is_kpi_selected: bool
    discovered_at: Moment
    updated_at: Moment


class ParameterIn(Body):
    """What is to be changed. An empty name goes back to the key, an empty unit to none."""

    display_name: Text255 | None = None
    unit: Annotated[str, Field(max_length=50)] | None = None
    is_kpi_selected: bool | None = None
