"""Machines registered, their keys and parameters. A machine of another factory does not exist here."""

from datetime import timedelta
from typing import Annotated

from fastapi import Path, Response

from api.dependencies import Acting, Inst, Who
from api.routing import Router
from api.schemas.common import Data
from api.schemas.devices import DeviceOut
from api.schemas.registration import DeviceIn, DeviceRegistered, KeyOut, NoteOut, ParameterIn, ParameterOut, ReplayOut
from ingest import registration, replay
from warehouse.device_list import DeviceEntry
from warehouse.device_notes import notes_of
from warehouse.models.devices import DeviceParameter
from warehouse.parameters import ParameterChange, change_parameter, parameters_of
from warehouse.queries.live import find_device

router = Router(prefix="/devices", tags=["devices"])
DeviceId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", operation_id="createDevice", status_code=201)
def create_device(body: DeviceIn, who: Who, inst: Inst, actor: Acting) -> DeviceRegistered:
    """Registers a machine. The answer holds its key, which is shown this once, and how much it sent before it was known."""
    made = registration.register(inst.db, inst.clock, actor, DeviceEntry(**body.model_dump()))
    device = find_device(inst.db, who.factory_id, device_id=made.credentials.device_id)
    return DeviceRegistered(
        **{name: getattr(device, name) for name in DeviceOut.model_fields},
        **_key(made.credentials).model_dump(),
        waiting_messages=made.waiting.messages,
        waiting_since=made.waiting.first_at,
    )


@router.post("/{device_id}/replay", operation_id="replayDevice")
def replay_device(device_id: DeviceId, who: Who, inst: Inst, actor: Acting) -> ReplayOut:
    """Takes in what the machine sent before it was registered."""
    device = find_device(inst.db, who.factory_id, device_id=device_id)
    retention = timedelta(days=inst.settings.raw_retention_days)
    done = replay.replay_stranger(inst.db, inst.clock, retention, who.factory_slug, device.device_key, actor)
    return ReplayOut(accepted=done.accepted, still_refused=dict(done.still_refused))


@router.post("/{device_id}/key", operation_id="rotateDeviceKey")
def rotate_key(device_id: DeviceId, who: Who, inst: Inst, actor: Acting) -> KeyOut:
    """Gives the machine a new key, which is shown this once. The old one ends within 10 s."""
    device = find_device(inst.db, who.factory_id, device_id=device_id)
    return _key(registration.rotate_key(inst.db, inst.clock, actor, device.device_key))


@router.delete("/{device_id}/key", operation_id="revokeDeviceKey", status_code=204)
def revoke_key(device_id: DeviceId, who: Who, inst: Inst, actor: Acting) -> Response:
    """Takes the machine's key away, within 10 s."""
    device = find_device(inst.db, who.factory_id, device_id=device_id)
    registration.revoke_key(inst.db, inst.clock, actor, device.device_key)
    return Response(status_code=204)


@router.get("/{device_id}/notes", operation_id="listDeviceNotes")
def list_notes(device_id: DeviceId, who: Who, inst: Inst) -> Data[list[NoteOut]]:
    """What was noticed of the machine: times without a zone, parameters of two types, too many messages."""
    find_device(inst.db, who.factory_id, device_id=device_id)
    found = notes_of(inst.db, who.factory_id, device_id)
    return Data(data=[NoteOut(**{name: getattr(note, name) for name in NoteOut.model_fields}) for note in found])


@router.get("/{device_id}/parameters", operation_id="listParameters")
def list_parameters(device_id: DeviceId, who: Who, inst: Inst) -> Data[list[ParameterOut]]:
    """Everything that the machine has ever sent, by key."""
    return Data(data=[_parameter(found) for found in parameters_of(inst.db, who.factory_id, device_id)])


@router.patch("/{device_id}/parameters/{parameter_id}", operation_id="updateParameter")
def update_parameter(
    device_id: DeviceId,
    parameter_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: ParameterIn,
    inst: Inst,
    actor: Acting,
) -> ParameterOut:
    """Changes the name, unit or selection of a parameter; what is not given stays."""
    change = ParameterChange(**body.model_dump())
    return _parameter(change_parameter(inst.db, inst.clock, actor, device_id, change, parameter_id=parameter_id))


def _key(made: registration.Credentials) -> KeyOut:
    return KeyOut(mqtt_user_name=made.user_name, mqtt_password=made.password, mqtt_topic=made.topic)


def _parameter(found: DeviceParameter) -> ParameterOut:
    told = {name: getattr(found, name) for name in ParameterOut.model_fields}
    return ParameterOut(**told | {"display_name": found.display_name or found.parameter_key, "unit": found.unit or ""})
