"""Parameters of a machine: shown, and changed by people. What a person wrote is never changed by the ingester."""

from dataclasses import asdict, dataclass

from sqlalchemy import select

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.devices import DeviceParameter
from warehouse.queries.live import find_device
from warehouse.tenancy import tenant_session

LONGEST_NAME = 255
LONGEST_UNIT = 50


@dataclass(frozen=True)
class ParameterChange:
    """What is to be changed; None leaves what there is, an empty name goes back to the key, an empty unit to none."""

    display_name: str | None = None
    unit: str | None = None
    is_kpi_selected: bool | None = None


def parameters_of(db: Database, factory_id: int, device_id: int) -> list[DeviceParameter]:
    """The parameters of a machine by key. Raises NotFoundError, also for machines of other factories."""
    find_device(db, factory_id, device_id=device_id)
    with tenant_session(db, factory_id) as session:
        wanted = select(DeviceParameter).where(DeviceParameter.device_id == device_id).order_by(DeviceParameter.parameter_key)
        return list(session.scalars(wanted).all())


def change_parameter(
    db: Database,
    clock: Clock,
    actor: Actor,
    device_id: int,
    change: ParameterChange,
    *,
    parameter_id: int | None = None,
    parameter_key: str = "",
) -> DeviceParameter:
    """Changes one parameter, by id or by key. Raises NotFoundError, and InvalidInputError for a name or unit that is too long."""
    told = {name: value for name, value in asdict(change).items() if value is not None}
    if len(told.get("display_name", "")) > LONGEST_NAME or len(told.get("unit", "")) > LONGEST_UNIT:
        raise InvalidInputError(f"a name has at most {LONGEST_NAME} characters and a unit {LONGEST_UNIT}", path="display_name")
    which = DeviceParameter.id == parameter_id if parameter_id is not None else DeviceParameter.parameter_key == parameter_key
    with tenant_session(db, actor.factory_id, write=True) as session:
        found = session.scalar(select(DeviceParameter).where(DeviceParameter.device_id == device_id, which))
        if found is None:
            key = parameter_key if parameter_id is None else parameter_id
            raise NotFoundError(f"the machine has no parameter {key}", noun="parameter", key=key)
        before = {name: getattr(found, name) for name in told}
        for name, value in told.items():
            setattr(found, name, value if value != "" else None)
        if told:
            append(session, "parameter.change", f"parameter:{found.id}", clock.now(), actor, before=before, after=told)
        session.flush()
        session.refresh(found)
    return found
