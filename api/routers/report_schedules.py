"""Schedules of reports of the caller's factory. A schedule of another factory does not exist here."""

from typing import Annotated

from fastapi import Path

from api.dependencies import Inst, PageOf, Reporter, Who
from api.routing import Router
from api.schemas.common import Page
from api.schemas.reports import ScheduleOut, ScheduleSwitch
from assets.reporting import schedules
from assets.reporting.parameters import ScheduleOrder
from warehouse.models.reporting import ReportSchedule

router = Router(prefix="/report-schedules", tags=["reports"])
ScheduleId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", operation_id="listReportSchedules")
def list_schedules(who: Who, inst: Inst, paging: PageOf) -> Page[ScheduleOut]:
    """The factory's schedules, oldest first."""
    found = schedules.schedules(inst, who.factory_id)
    shown = found[paging.offset : paging.offset + paging.per_page]
    return Page(data=[_out(row) for row in shown], total=len(found), page=paging.page, per_page=paging.per_page)


@router.post("", operation_id="createReportSchedule", status_code=201)
def create_schedule(asked: ScheduleOrder, who: Reporter, inst: Inst) -> ScheduleOut:
    """A new schedule; its times are on the factory's clock."""
    return _out(schedules.add_schedule(inst, who.factory_id, who.user_id, asked))


@router.get("/{schedule_id}", operation_id="getReportSchedule")
def get_schedule(schedule_id: ScheduleId, who: Who, inst: Inst) -> ScheduleOut:
    """One schedule and when it is due next."""
    return _out(schedules.find_schedule(inst, who.factory_id, schedule_id))


@router.patch("/{schedule_id}", operation_id="switchReportSchedule")
def switch_schedule(schedule_id: ScheduleId, asked: ScheduleSwitch, who: Reporter, inst: Inst) -> ScheduleOut:
    """Pauses a schedule, or lets it go on from now."""
    return _out(schedules.switch_schedule(inst, who.factory_id, schedule_id, who.user_id, is_active=asked.is_active))


@router.delete("/{schedule_id}", operation_id="deleteReportSchedule", status_code=204)
def delete_schedule(schedule_id: ScheduleId, who: Reporter, inst: Inst) -> None:
    """Deletes a schedule; its reports stay."""
    schedules.remove_schedule(inst, who.factory_id, schedule_id, who.user_id)


def _out(row: ReportSchedule) -> ScheduleOut:
    return ScheduleOut(**{name: getattr(row, name) for name in ScheduleOut.model_fields})
