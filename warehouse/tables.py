"""The tables of the lake: what they hold, how they are laid out, and how they come to be."""

from typing import Final

import duckdb

LAKE: Final = "lake"
TELEMETRY: Final = "telemetry"
LOADER_PROGRESS: Final = "loader_progress"
ROLLUP_LEVELS: Final = {"1m": "1 minute", "1h": "1 hour"}
"""Rollup levels that are kept, as DuckDB intervals; the table of a level is `rollup_<level>`."""

_SERIES: Final = "factory_id INTEGER, device_id INTEGER, parameter VARCHAR"
_ROLLUP_COLUMNS: Final = (
    f"{_SERIES}, bucket TIMESTAMPTZ, count BIGINT, min DOUBLE, max DOUBLE, mean DOUBLE, sum DOUBLE, first DOUBLE, last DOUBLE"
)
_DDL: Final = {
    TELEMETRY: f"{_SERIES}, ts TIMESTAMPTZ, value DOUBLE, text VARCHAR, received_at TIMESTAMPTZ",
    # Only ever appended: a row of a few bytes goes into the catalog with the commit and costs no file. The newest one counts.
    LOADER_PROGRESS: "shard VARCHAR, position BIGINT",
    **{f"rollup_{level}": _ROLLUP_COLUMNS for level in ROLLUP_LEVELS},
}
_TIME_COLUMN: Final = {TELEMETRY: "ts", **{f"rollup_{level}": "bucket" for level in ROLLUP_LEVELS}}
# What a reader bound to a factory may see. Nothing else exists for it.
READABLE: Final = tuple(_TIME_COLUMN)


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates what is missing, partitioned by day and sorted for "one parameter of one machine over time". Idempotent."""
    present = {row[0] for row in connection.execute(f"SELECT table_name FROM duckdb_tables() WHERE database_name = '{LAKE}'").fetchall()}
    missing = [table for table in _DDL if table not in present]
    if not missing:
        return
    # One commit for all: 0.09 s instead of 0.65 s, and no crash leaves half of them.
    connection.execute("BEGIN")
    for table in missing:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {LAKE}.{table} ({_DDL[table]})")
        if table in _TIME_COLUMN:
            time = _TIME_COLUMN[table]
            day = f"year({time}), month({time}), day({time})" if table != "rollup_1h" else f"year({time}), month({time})"
            connection.execute(f"ALTER TABLE {LAKE}.{table} SET PARTITIONED BY ({day})")
            connection.execute(f"ALTER TABLE {LAKE}.{table} SET SORTED BY (factory_id, device_id, parameter, {time})")
    connection.execute("COMMIT")
