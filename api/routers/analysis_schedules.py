"""Analyses that the caller's factory has made again and again. A schedule of another factory does not exist here."""

from typing import Annotated

from fastapi import Depends, Path

from api.dependencies import Acting, Inst, Who, needs
from api.routing import Router
from api.schemas.analytics import ScheduleIn, ScheduleOut, ScheduleSwitch
from assets.analytics import schedules
from warehouse.models.work import AnalysisSchedule

router = Router(prefix="/analytics/schedules", tags=["analytics"])
ScheduleId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
FOR_ANALYSTS = [Depends(needs("run_analytics"))]


@router.get("", operation_id="listAnalyticsSchedules")
def list_schedules(who: Who, inst: Inst) -> list[ScheduleOut]:
    """All schedules of the factory, oldest first."""
    return [_out(row) for row in schedules.schedules(inst, who.factory_id)]


@router.post("", operation_id="createAnalyticsSchedule", status_code=201, dependencies=FOR_ANALYSTS, responses={409: {}})
def create_schedule(asked: ScheduleIn, actor: Acting, inst: Inst) -> ScheduleOut:
    """A new schedule; its times are on the factory's clock."""
    new = schedules.NewSchedule(asked.name, asked.job_type, asked.cron, asked.days, asked.device_ids, asked.mode, asked.parameters)
    return _out(schedules.add_schedule(inst, actor, new))


@router.get("/{analysis_schedule_id}", operation_id="getAnalyticsSchedule")
def get_schedule(analysis_schedule_id: ScheduleId, who: Who, inst: Inst) -> ScheduleOut:
    """One schedule and when it is due next."""
    return _out(schedules.find_schedule(inst, who.factory_id, analysis_schedule_id))


@router.patch("/{analysis_schedule_id}", operation_id="switchAnalyticsSchedule", dependencies=FOR_ANALYSTS)
def switch_schedule(analysis_schedule_id: ScheduleId, asked: ScheduleSwitch, actor: Acting, inst: Inst) -> ScheduleOut:
    """Pauses a schedule, or lets it go on from now."""
    return _out(schedules.switch_schedule(inst, actor, analysis_schedule_id, is_active=asked.is_active))


@router.delete("/{analysis_schedule_id}", operation_id="deleteAnalyticsSchedule", status_code=204, dependencies=FOR_ANALYSTS)
def delete_schedule(analysis_schedule_id: ScheduleId, actor: Acting, inst: Inst) -> None:
    """Deletes a schedule; the analyses that it ordered stay."""
    schedules.remove_schedule(inst, actor, analysis_schedule_id)


def _out(row: AnalysisSchedule) -> ScheduleOut:
    return ScheduleOut.model_validate({name: getattr(row, name) for name in ScheduleOut.model_fields})
