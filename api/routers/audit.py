"""The audit trail of the factory, for those who manage its people."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.dependencies import Inst, PageOf, Who, needs
from api.routing import Router
from api.schemas.account import AuditEventOut, ChainState
from api.schemas.common import Page
from warehouse.access import audit_trail
from warehouse.access.audit_trail import Event, Wanted

router = Router(prefix="/audit", tags=["audit"], dependencies=[Depends(needs("manage_users"))])
_EXPORTS: dict[str, dict[str, Any]] = {"application/x-ndjson": {}, "text/csv": {}}


def wanted_events(
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    user_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    action: Annotated[str | None, Query(max_length=100, examples=["alert."])] = None,
    target: Annotated[str | None, Query(max_length=255, examples=["alert:150"])] = None,
) -> Wanted:
    """Which events: of [start, end), by a person, of actions that begin so, or on one thing."""
    return Wanted(start, end, user_id, action, target)


Asked = Annotated[Wanted, Depends(wanted_events)]


@router.get("", operation_id="listAuditEvents")
def list_events(who: Who, inst: Inst, asked: Asked, paging: PageOf) -> Page[AuditEventOut]:
    """Events, newest first."""
    found, total = audit_trail.page_of(inst.db, who.factory_id, asked, paging.per_page, paging.offset)
    return Page(data=[_out(event) for event in found], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/export", operation_id="exportAuditEvents", response_class=StreamingResponse, responses={200: {"content": _EXPORTS}})
def export_events(who: Who, inst: Inst, asked: Asked, format: Literal["csv", "json"] = "json") -> StreamingResponse:  # noqa: A002 - the name of the query parameter
    """All of them, oldest first: CSV, or JSON with one object a line, from which the chain can be checked elsewhere."""
    events = audit_trail.events_of(inst.db, who.factory_id, asked)
    lines: Iterator[str] = audit_trail.as_csv(events) if format == "csv" else audit_trail.as_json_lines(events)
    kind, name = ("text/csv", "audit.csv") if format == "csv" else ("application/x-ndjson", "audit.jsonl")
    return StreamingResponse(lines, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/verify", operation_id="verifyAuditTrail")
def verify_trail(who: Who, inst: Inst, head: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None) -> ChainState:
    """Whether an event was edited, removed or put in another order. `head`: a hash that an earlier check gave."""
    found = audit_trail.verify(inst.db, who.factory_id, head)
    return ChainState(is_whole=found.is_whole, events=found.events, head=found.head, problems=list(found.problems))


def _out(event: Event) -> AuditEventOut:
    row = event.row
    own = {name: getattr(row, name) for name in AuditEventOut.model_fields if name != "user_email"}
    return AuditEventOut.model_validate({**own, "user_email": event.user_email})
