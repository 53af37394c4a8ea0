"""Brings the tables of an older lake to the present shape. Safe to kill: each step is one transaction, or can be begun again.

| from | what changes |
|---|---|
| 1 | readings keep their delay instead of the moment of receipt; rollups have more levels and columns and are made anew |
"""

from typing import Final

import duckdb
import structlog

from warehouse.tables import LAKE, LAKE_VERSION, LOADER_PROGRESS, TELEMETRY, TOUCHED, VERSION, create_tables, ensure_tables, present_tables

OLD_READINGS: Final = "telemetry_1"
log = structlog.get_logger()


def upgrade_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates or upgrades all tables; the caller holds the write lock. Idempotent, and goes on where a killed run stopped."""
    present = present_tables(connection)
    if LAKE_VERSION not in present and LOADER_PROGRESS in present:
        _begin_version_2(connection, present)
    ensure_tables(connection)
    if OLD_READINGS in present_tables(connection):
        _move_readings(connection)


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """The version that the lake's tables have; 0 for none."""
    present = present_tables(connection)
    if LAKE_VERSION not in present:
        return 1 if LOADER_PROGRESS in present else 0
    if OLD_READINGS in present:
        return 1
    return int(connection.execute(f"SELECT max(version) FROM {LAKE}.{LAKE_VERSION}").fetchall()[0][0])


def _begin_version_2(connection: duckdb.DuckDBPyConnection, present: set[str]) -> None:
    """Puts the old readings aside and makes every table new, in one commit."""
    log.info("lake_upgrade_begins", version=VERSION)
    connection.execute("BEGIN")
    for table in ("rollup_1m", "rollup_1h"):
        if table in present:
            connection.execute(f"DROP TABLE {LAKE}.{table}")
    connection.execute(f"ALTER TABLE {LAKE}.{TELEMETRY} RENAME TO {OLD_READINGS}")
    create_tables(connection, [TELEMETRY, "rollup_1m", "rollup_5m", "rollup_1h", "rollup_1d", TOUCHED, LAKE_VERSION])
    connection.execute(f"INSERT INTO {LAKE}.{LAKE_VERSION} VALUES ({VERSION})")
    connection.execute("COMMIT")


def _move_readings(connection: duckdb.DuckDBPyConnection) -> None:
    """Moves the old readings day by day: a day is in one table or in the other, never in both."""
    days = connection.execute(f"SELECT DISTINCT time_bucket(INTERVAL '1 day', ts) FROM {LAKE}.{OLD_READINGS} ORDER BY 1").fetchall()
    for (day,) in days:
        connection.execute("BEGIN")
        of_day = "WHERE ts >= $day AND ts < $day + INTERVAL '1 day'"
        connection.execute(
            f"INSERT INTO {LAKE}.{TELEMETRY} SELECT factory_id, device_id, parameter, ts, value, text, "
            f"date_diff('millisecond', ts, received_at) FROM {LAKE}.{OLD_READINGS} {of_day} ORDER BY factory_id, device_id, parameter, ts",
            {"day": day},
        )
        connection.execute(
            f"INSERT INTO {LAKE}.{TOUCHED} SELECT DISTINCT factory_id, 'hour', time_bucket(INTERVAL '1 hour', ts) "
            f"FROM {LAKE}.{OLD_READINGS} {of_day}",
            {"day": day},
        )
        connection.execute(f"DELETE FROM {LAKE}.{OLD_READINGS} {of_day}", {"day": day})
        connection.execute("COMMIT")
        log.info("lake_upgrade_moved", day=str(day)[:10])
    connection.execute(f"DROP TABLE {LAKE}.{OLD_READINGS}")
