"""The factory at a glance."""

from datetime import timedelta

from api.dependencies import Inst, Who
from api.routing import Router
from api.schemas.common import Data
from api.schemas.dashboard import SummaryOut
from warehouse.queries.summary import dashboard_summary

router = Router(prefix="/dashboard", tags=["dashboard"])


@router.get("/summary", operation_id="getDashboardSummary")
def get_summary(who: Who, inst: Inst) -> Data[SummaryOut]:
    """Counts, power, energy and health of the caller's factory, now."""
    offline_after = timedelta(minutes=inst.settings.offline_after_minutes)
    found = dashboard_summary(inst.db, inst.lake, who.factory_id, inst.clock.now(), offline_after, with_yesterday=False)
    return Data(
        data=SummaryOut(
            total_devices=found.total_devices,
            active_devices=found.active_devices,
            offline_devices=found.offline_devices,
            current_energy_kw=round(found.current_energy_kw, 3),
            energy_today_kwh=round(found.energy_today_kwh, 3),
            active_alerts=found.active_alerts,
            critical_alerts=found.alerts["critical"],
            high_alerts=found.alerts["high"],
            health_score=found.health.score,
        )
    )
