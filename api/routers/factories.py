"""Which factories there are: public, for the page where one is chosen. And the caller's own, with its settings."""

from api.dependencies import Acting, Inst, SuperAdmin, Who
from api.routing import Router
from api.schemas.auth import FactoryChoice
from api.schemas.common import Data
from api.schemas.factory import FactoryChange, FactoryOut, ShiftIn
from warehouse.access.sign_in import factories
from warehouse.installation import Installation
from warehouse.queries.summary import factory_of
from warehouse.shifts import clock_of, parse_shifts, set_shifts, shifts_json

router = Router(tags=["factories"])


@router.get("/factories", operation_id="listFactories")
def list_factories(inst: Inst) -> Data[list[FactoryChoice]]:
    """All factories by name."""
    return Data(data=[FactoryChoice(id=f.id, name=f.name, slug=f.slug) for f in factories(inst.db)])


@router.get("/factory", operation_id="getFactory")
def get_factory(who: Who, inst: Inst) -> FactoryOut:
    """The caller's factory and its settings."""
    return _out(inst, who.factory_id)


@router.patch("/factory", operation_id="changeFactory")
def change_factory(who: SuperAdmin, inst: Inst, actor: Acting, body: FactoryChange) -> FactoryOut:
    """Gives the factory its shifts: rules that name one, energy by shift and pages go by them from now on."""
    shifts = None if body.shifts is None else parse_shifts([shift.model_dump() for shift in body.shifts])
    set_shifts(inst.db, inst.clock, actor, shifts)
    return _out(inst, who.factory_id)


def _out(inst: Installation, factory_id: int) -> FactoryOut:
    row = factory_of(inst.db, factory_id)
    shifts = [ShiftIn.model_validate(shift) for shift in shifts_json(clock_of(row).shifts)]
    return FactoryOut(id=row.id, name=row.name, slug=row.slug, timezone=row.timezone, shifts=shifts)
