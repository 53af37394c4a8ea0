"""Keys with which programs work in one's name."""

from typing import Annotated

from fastapi import Path

from api.dependencies import Inst, Person
from api.routing import Router
from api.schemas.account import KeyIn, KeyMade, KeyOut
from api.schemas.common import Data
from warehouse.access import api_keys
from warehouse.models.access import ApiKey

router = Router(prefix="/api-keys", tags=["API keys"])
KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", operation_id="listApiKeys")
def list_keys(who: Person, inst: Inst) -> Data[list[KeyOut]]:
    """The person's keys, newest first, also those that ended."""
    return Data(data=[KeyOut.model_validate(_facts(row)) for row in api_keys.keys_of(inst.db, who)])


@router.post("", operation_id="createApiKey", status_code=201)
def create_key(body: KeyIn, who: Person, inst: Inst) -> KeyMade:
    """A new key; its secret is in this answer and nowhere else."""
    made = api_keys.create(inst.db, inst.clock, who, body.name, body.scopes, body.expires_at)
    return KeyMade.model_validate({**_facts(made.row), "key": made.secret})


@router.delete("/{key_id}", operation_id="endApiKey", status_code=204)
def end_key(key_id: KeyId, who: Person, inst: Inst) -> None:
    """Ends a key of one's own; who manages people may end anybody's."""
    api_keys.revoke(inst.db, inst.clock, who, key_id)


def _facts(row: ApiKey) -> dict[str, object]:
    same = ("id", "name", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {name: getattr(row, name) for name in same} | {"scopes": row.scopes.split()}
