"""Alerts of the caller's factory. An alert of another factory does not exist here."""

from datetime import timedelta
from typing import Annotated

from fastapi import Path, Query

from api.dependencies import Inst, PageOf, Who, Worker
from api.routing import Router
from api.schemas.alarm_quality import AlarmQualityOut, quality_out
from api.schemas.alerts import Acknowledge, AlertOut, Assign, Comment, HistoryOut, Resolve, Resolved
from api.schemas.common import Data, MomentIn, Page
from rules.alerts import acknowledge, assign, comment_on, resolve
from warehouse.errors import InvalidInputError
from warehouse.queries.alarm_board import alarm_board
from warehouse.queries.alerts import AlertFilter, AlertRow, alert_history, count_alerts, find_alert, list_alerts
from warehouse.terms import SEVERITIES

router = Router(prefix="/alerts", tags=["alerts"])
AlertId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Severity = Annotated[str | None, Query(pattern=f"^({'|'.join(SEVERITIES)})$")]
_STATUS = {None: "all", True: "resolved", False: "active"}
_LONGEST_PERIOD = timedelta(days=366)


@router.get("", operation_id="listAlerts")
def list_all(
    who: Who,
    inst: Inst,
    paging: PageOf,
    device_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    severity: Severity = None,
    resolved: bool | None = None,
    start: MomentIn | None = None,
    end: MomentIn | None = None,
) -> Page[AlertOut]:
    """Alerts raised in [start, end), newest first; active ones the most severe first."""
    wanted = AlertFilter(_STATUS[resolved], [severity] if severity else [], device_id, since=start, until=end)
    rows = list_alerts(inst.db, who.factory_id, wanted, limit=paging.per_page, offset=paging.offset)
    total = count_alerts(inst.db, who.factory_id, wanted)
    return Page(data=[_out(row) for row in rows], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/quality", operation_id="getAlarmQuality")
def get_quality(who: Who, inst: Inst, start: MomentIn | None = None, end: MomentIn | None = None) -> AlarmQualityOut:
    """The measures of ISA-18.2 over [start, end), at most a year; without a start the last seven days."""
    until = end or inst.clock.now()
    since = start or until - timedelta(days=7)
    if not timedelta(0) < until - since <= _LONGEST_PERIOD:
        raise InvalidInputError("the end comes after the start, by at most a year", path="$.end")
    return quality_out(alarm_board(inst.db, who.factory_id, since, until))


@router.get("/{alert_id}", operation_id="getAlert")
def get_alert(alert_id: AlertId, who: Who, inst: Inst) -> AlertOut:
    """One alert."""
    return _out(find_alert(inst.db, who.factory_id, alert_id))


@router.get("/{alert_id}/history", operation_id="getAlertHistory")
def get_history(alert_id: AlertId, who: Who, inst: Inst) -> Data[list[HistoryOut]]:
    """What happened to an alert, in order: states, people, comments, escalations."""
    lines = alert_history(inst.db, who.factory_id, alert_id)
    return Data(
        data=[
            HistoryOut(
                kind=line.kind,
                happened_at=line.happened_at,
                person=line.person or None,
                comment=line.comment or None,
                details=line.details,
            )
            for line in lines
        ]
    )


@router.patch("/{alert_id}/acknowledge", operation_id="acknowledgeAlert")
def acknowledge_alert(alert_id: AlertId, who: Worker, inst: Inst, body: Acknowledge | None = None) -> AlertOut:
    """Says that somebody has seen it: nobody else is told of it any more. Of several people the first counts."""
    acknowledge(inst.db, inst.clock, who.factory_id, alert_id, user_id=who.user_id, comment=body.comment if body else None)
    return _out(find_alert(inst.db, who.factory_id, alert_id))


@router.patch("/{alert_id}/assign", operation_id="assignAlert")
def assign_alert(alert_id: AlertId, who: Worker, inst: Inst, body: Assign) -> AlertOut:
    """Makes one person responsible for an active alert, or nobody."""
    assign(inst.db, inst.clock, who.factory_id, alert_id, user_id=who.user_id, assignee_id=body.assignee_id, comment=body.comment)
    return _out(find_alert(inst.db, who.factory_id, alert_id))


@router.post("/{alert_id}/comments", operation_id="commentAlert", status_code=201)
def comment_alert(alert_id: AlertId, who: Worker, inst: Inst, body: Comment) -> AlertOut:
    """Adds a line to the alert's thread, also when it is resolved."""
    comment_on(inst.db, inst.clock, who.factory_id, alert_id, user_id=who.user_id, comment=body.comment)
    return _out(find_alert(inst.db, who.factory_id, alert_id))


@router.patch("/{alert_id}/resolve", operation_id="resolveAlert")
def resolve_alert(alert_id: AlertId, who: Worker, inst: Inst, body: Resolve | None = None) -> Resolved:
    """Ends an active alert, for all who watch it; one that was resolved before stays as it is."""
    alert = resolve(
        inst.db,
        inst.clock,
        who.factory_id,
        alert_id,
        user_id=who.user_id,
        comment=body.comment if body else None,
        app_url=inst.settings.app_url,
    )
    return Resolved(id=alert_id, resolved_at=alert.resolved_at or inst.clock.now())


def _out(row: AlertRow) -> AlertOut:
    return AlertOut(
        id=row.id,
        rule_id=row.rule_id,
        rule_name=row.title,
        device_id=row.device_id,
        device_name=row.device_name,
        status="triggered" if row.status == "new" else row.status,
        triggered_at=row.triggered_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by or None,
        assigned_to_id=row.assigned_to_id,
        assigned_to=row.assigned_to or None,
        cleared_at=row.cleared_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by or None,
        is_resolved_automatically=row.is_resolved_automatically,
        is_silenced=row.is_silenced,
        repeat_count=row.repeat_count,
        last_raised_at=row.last_raised_at,
        severity=row.severity,
        message=row.message,
        telemetry_snapshot=row.telemetry_snapshot,
    )
