"""What the overview and the wall show, asked once for both."""

from collections.abc import Callable
from datetime import timedelta

from dashboards import loads
from dashboards.cache import Answer
from dashboards.fmt import Local
from dashboards.overview_cards import Data
from warehouse.errors import RetryableError


def load(factory_id: int, timezone: str, local: Local) -> Data:
    """Asks what is remembered of the factory; never raises because the lake is away."""
    yesterday = (local.midnight - timedelta(hours=12)).replace(hour=0)
    return Data(
        machines=loads.machines(factory_id),
        alerts=loads.active_alerts(factory_id),
        summary=_unless_away(lambda: loads.summary(factory_id)),
        power=_unless_away(lambda: loads.power_two_days(factory_id, timezone)),
        typical=loads.typical(factory_id),
        raised_today=loads.raised_between(factory_id, local.midnight, local.now),
        raised_yesterday=loads.raised_between(factory_id, yesterday, local.midnight),
    )


def _unless_away(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except RetryableError:
        return None
