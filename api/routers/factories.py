"""Which factories there are: public, for the page where one is chosen."""

from fastapi import APIRouter

from api.dependencies import Inst
from api.schemas.auth import FactoryChoice
from api.schemas.common import Data
from warehouse.access.sign_in import factories

router = APIRouter(prefix="/factories", tags=["factories"])


@router.get("", operation_id="listFactories")
def list_factories(inst: Inst) -> Data[list[FactoryChoice]]:
    """All factories by name."""
    return Data(data=[FactoryChoice(id=f.id, name=f.name, slug=f.slug) for f in factories(inst.db)])
