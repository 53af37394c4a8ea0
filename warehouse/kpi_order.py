"""Which values of a machine stand on its page, and in which order: chosen by people, the same for all who look at it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.streams import InstallationFact
from warehouse.tenancy import system_session, tenant_session

_FACT: Final = "kpi_order"
_KEYS: Final = "keys"


def kpi_order(db: Database, device_id: int) -> list[str]:
    """The keys in the order that people chose; empty when nobody did. Keys of parameters that are gone may be among them."""
    with system_session(db, "order of a machine's values") as session:
        fact = session.get(InstallationFact, f"{_FACT}:{device_id}")
        return [str(key) for key in fact.value[_KEYS]] if fact else []


def choose_kpis(db: Database, clock: Clock, actor: Actor, device_id: int, keys: Sequence[str]) -> None:
    """Shows these parameters of a machine, in this order, and no others.

    Raises NotFoundError for a machine of another factory, InvalidInputError for a parameter that it does not have.
    """
    with tenant_session(db, actor.factory_id, write=True) as session:
        if session.scalar(select(Device.id).where(Device.id == device_id)) is None:
            raise NotFoundError(f"there is no machine {device_id} in this factory", noun="device", key=device_id)
        known = {row.parameter_key: row for row in session.scalars(select(DeviceParameter).where(DeviceParameter.device_id == device_id))}
        if unknown := [key for key in keys if key not in known]:
            raise InvalidInputError(f"the machine has no parameter {', '.join(unknown)}", path="keys")
        before = sorted(key for key, row in known.items() if row.is_kpi_selected)
        for key, row in known.items():
            row.is_kpi_selected = key in keys
        append(session, "kpi.choose", f"device:{device_id}", clock.now(), actor, before={_KEYS: before}, after={_KEYS: list(keys)})
    # After the check that the machine is of this factory: facts of the installation are beyond a factory's session.
    with system_session(db, "order of a machine's values", write=True) as session:
        session.merge(InstallationFact(key=f"{_FACT}:{device_id}", value={_KEYS: list(keys)}))
