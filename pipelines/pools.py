"""How many steps of a kind may run at once. The limits live in Dagster's own database, so they are written at each start."""

from typing import Final

import dagster as dg

from assets.rollups import POOL as ROLLUPS

LIMITS: Final = {
    # Two at once would only wait for each other: both write the lake.
    ROLLUPS: 1,
    "analytics": 2,
}
_written: set[str] = set()


def ensure_pools(instance: dg.DagsterInstance) -> None:
    """Writes the limits once a process and instance. Writing them again changes nothing."""
    storage = instance.event_log_storage
    identity = str(instance.root_directory)
    if identity in _written or not storage.supports_global_concurrency_limits:
        return
    for pool, limit in LIMITS.items():
        storage.set_concurrency_slots(pool, limit)
    _written.add(identity)
