"""How much history there is."""

from datetime import datetime

from warehouse.lake import Lake


def most_hours(lake: Lake, factory_id: int, since: datetime) -> int:
    """Hours with readings, of the machine that has most of them; from the rollups since a moment. Raises LakeBusyError."""
    found = lake.reader(factory_id).query(
        "SELECT coalesce(max(hours), 0) AS most FROM "
        "(SELECT count(DISTINCT bucket) AS hours FROM rollup_1h WHERE bucket >= $since GROUP BY device_id)",
        {"since": since},
    )
    return int(found["most"][0])
