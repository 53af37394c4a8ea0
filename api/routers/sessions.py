"""One's own sign-ins: where one is signed in, and ending that."""

from typing import Annotated

from fastapi import Path

from api.dependencies import Inst, Person
from api.routing import Router
from api.schemas.account import SessionOut
from api.schemas.common import Data
from warehouse.access.sessions import end_own_session, sessions_of

router = Router(prefix="/sessions", tags=["sessions"])
SessionId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("", operation_id="listSessions")
def list_sessions(who: Person, inst: Inst) -> Data[list[SessionOut]]:
    """The person's open sign-ins, newest first."""
    rows = sessions_of(inst.db, inst.settings, inst.clock, who)
    found = [
        SessionOut(
            id=row.id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            address=row.address,
            user_agent=row.user_agent,
            is_current=row.id == who.session_id,
        )
        for row in rows
    ]
    return Data(data=found)


@router.delete("/{session_id}", operation_id="endSession", status_code=204)
def end_session(session_id: SessionId, who: Person, inst: Inst) -> None:
    """Ends one of them."""
    end_own_session(inst.db, inst.clock, who, session_id)
