"""Alerts of the caller's factory. An alert of another factory does not exist here."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from api.dependencies import Inst, PageOf, Who, Worker
from api.schemas.alerts import AlertOut, Resolve, Resolved
from api.schemas.common import Page
from rules.alerts import resolve
from warehouse.models.alerting import SEVERITIES
from warehouse.queries.alerts import AlertFilter, AlertRow, count_alerts, find_alert, list_alerts

router = APIRouter(prefix="/alerts", tags=["alerts"])
AlertId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Severity = Annotated[str | None, Query(pattern=f"^({'|'.join(SEVERITIES)})$")]
_STATUS = {None: "all", True: "resolved", False: "active"}


@router.get("", operation_id="listAlerts")
def list_all(
    who: Who,
    inst: Inst,
    paging: PageOf,
    device_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    severity: Severity = None,
    resolved: bool | None = None,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
) -> Page[AlertOut]:
    """Alerts raised in [start, end), newest first; active ones the most severe first."""
    wanted = AlertFilter(_STATUS[resolved], [severity] if severity else [], device_id, since=start, until=end)
    rows = list_alerts(inst.db, who.factory_id, wanted, limit=paging.per_page, offset=paging.offset)
    total = count_alerts(inst.db, who.factory_id, wanted)
    return Page(data=[_out(row) for row in rows], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/{alert_id}", operation_id="getAlert")
def get_alert(alert_id: AlertId, who: Who, inst: Inst) -> AlertOut:
    """One alert."""
    return _out(find_alert(inst.db, who.factory_id, alert_id))


@router.patch("/{alert_id}/resolve", operation_id="resolveAlert")
def resolve_alert(alert_id: AlertId, who: Worker, inst: Inst, body: Resolve | None = None) -> Resolved:
    """Ends an active alert, for all who watch it; one that was resolved before stays as it is."""
    alert = resolve(inst.db, inst.clock, who.factory_id, alert_id, user_id=who.user_id, comment=body.comment if body else None)
    return Resolved(id=alert_id, resolved_at=alert.resolved_at or inst.clock.now())


def _out(row: AlertRow) -> AlertOut:
    return AlertOut(
        id=row.id,
        rule_id=row.rule_id,
        rule_name=row.title,
        device_id=row.device_id,
        device_name=row.device_name,
        triggered_at=row.triggered_at,
        acknowledged_at=row.acknowledged_at,
        resolved_at=row.resolved_at,
        severity=row.severity,
        message=row.message,
        telemetry_snapshot=row.telemetry_snapshot,
    )
