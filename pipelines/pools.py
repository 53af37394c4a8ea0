"""How many steps of a kind may run at once. The limits live in Dagster's own database, so they are written at each start."""

from typing import Final

import dagster as dg

from assets.rollups import POOL as ROLLUPS

LIMITS: Final = {
    # Two at once would only wait for each other: both write the lake.
    ROLLUPS: 1,
    "analytics": 2,
    "reporting": 2,
    "notifications": 4,
}
_written: set[str] = set()


def ensure_pools(context: dg.SensorEvaluationContext) -> None:
    """Writes the limits once a process and instance. Writing them again changes nothing."""
    identity = str(context.instance_ref)
    if identity in _written:
        return
    # Only now: opening the instance costs more than a tick does.
    storage = context.instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        for pool, limit in LIMITS.items():
            storage.set_concurrency_slots(pool, limit)
    _written.add(identity)
