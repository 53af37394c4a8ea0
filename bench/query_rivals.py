"""The questions of `bench.queries` in plain SQL, to a DuckDB file and to PostgreSQL that hold the same readings."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
import psycopg

from tests.fixtures.postgres import create_database, running_server
from warehouse.extensions import EXTENSIONS_AS_INSTALLED, extension_file

Ask = Callable[[], object]
Say = Callable[[str], None]
HOUR: Final = timedelta(hours=1)
_HISTORY: Final = (
    "SELECT parameter, {bucket} AS b, avg(value), min(value), max(value), count(*) FROM telemetry WHERE device_id = 3 "
    "AND parameter IN ({parameters}) AND ts >= '{begin}' AND ts < '{end}' GROUP BY 1, 2 ORDER BY 1, 2"
)
# As `warehouse.summaries` defines it: the line between readings at most 5 min apart, and 5 min for one before a longer silence.
_ENERGY: Final = (
    "SELECT device_id, sum(CASE WHEN gap_s <= 300 THEN (value + follows) / 2 * gap_s ELSE value * 300 END) / 3.6e6 FROM (SELECT device_id, "
    "value, lead(value) OVER w AS follows, extract(epoch FROM lead(ts) OVER w - ts) AS gap_s FROM telemetry WHERE parameter = 'power' "
    "AND ts >= '{begin}' AND ts < '{end}' WINDOW w AS (PARTITION BY device_id ORDER BY ts)) s GROUP BY 1 ORDER BY 1"
)
_TRACE: Final = (
    "SELECT ts, value FROM telemetry WHERE device_id = 3 AND parameter = 'power' AND ts >= '{begin}' AND ts < '{end}' ORDER BY ts"
)
DUCKDB_BUCKET: Final = "time_bucket(INTERVAL '{minutes} minutes', ts)"
POSTGRESQL_BUCKET: Final = "date_bin('{minutes} minutes', ts, '2000-01-01')"


def statements(bucket: str, parameters: tuple[str, ...], start: datetime, end: datetime) -> dict[str, str]:
    """The same questions as `bench.queries.questions`, by their names."""

    def history(minutes: int, names: tuple[str, ...], begin: datetime) -> str:
        listed = ", ".join(f"'{name}'" for name in names)
        return _HISTORY.format(bucket=bucket.format(minutes=minutes), parameters=listed, begin=begin, end=end)

    return {
        "hours_of_30_days": history(60, ("power",), start),
        "minutes_of_12_h": history(1, ("power",), end - 12 * HOUR),
        "five_parameters_of_a_week": history(30, parameters[:5], end - timedelta(days=7)),
        "trace_of_an_hour": _TRACE.format(begin=end - HOUR, end=end),
        "energy_of_a_day": _ENERGY.format(begin=end - timedelta(days=1), end=end),
        "energy_of_30_days": _ENERGY.format(begin=start, end=end),
    }


@contextmanager
def duckdb_file(path: Path, lake_files: str, say: Say) -> Iterator[tuple[Callable[[str], Ask], int]]:
    """A DuckDB file with the readings, sorted; made unless it is there. How to ask, and its bytes."""
    with closing(duckdb.connect(str(path), config={"threads": 2})) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'telemetry'").fetchall():
            say("plain DuckDB file")
            connection.execute(f"CREATE TABLE telemetry AS {_everything(lake_files)} ORDER BY device_id, parameter, ts")
            connection.execute("CHECKPOINT")
        yield lambda sql: lambda: connection.execute(sql).fetchall(), path.stat().st_size


@contextmanager
def postgresql(lake_files: str, say: Say) -> Iterator[tuple[Callable[[str], Ask], int]]:
    """A PostgreSQL server of its own with the readings and an index over (device, parameter, time). How to ask, and the table's bytes."""
    with running_server() as server:
        url = create_database(server.url)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("CREATE TABLE telemetry (device_id integer, parameter text, ts timestamptz, value double precision)")
            say("PostgreSQL: loading")
            _load(url, lake_files)
            say("PostgreSQL: index")
            connection.execute("SET maintenance_work_mem = '1GB'")
            connection.execute("CREATE UNIQUE INDEX ON telemetry (device_id, parameter, ts)")
            connection.execute("VACUUM (ANALYZE) telemetry")
            connection.execute("SET work_mem = '256MB'")
            size = connection.execute("SELECT pg_total_relation_size('telemetry')").fetchone()
            yield lambda sql: lambda: connection.execute(sql).fetchall(), int(size[0]) if size else 0


def postgresql_bytes(readings: pl.DataFrame) -> int:
    """What READINGS take in a PostgreSQL table with an index over (device, parameter, time)."""
    columns = "device_id integer, parameter text, ts timestamptz, value double precision, text text, received_at timestamptz"
    names = [column.split()[0] for column in columns.split(", ")]
    with running_server() as server, closing(psycopg.connect(create_database(server.url), autocommit=True)) as connection:
        connection.execute(f"CREATE TABLE telemetry ({columns})")
        with connection.cursor() as cursor, cursor.copy("COPY telemetry FROM STDIN (FORMAT csv)") as copy:
            copy.write(readings.select(names).write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode())
        connection.execute("CREATE UNIQUE INDEX ON telemetry (device_id, parameter, ts)")
        size = connection.execute("SELECT pg_total_relation_size('telemetry')").fetchone()
    return int(size[0]) if size else 0


def _load(url: str, lake_files: str) -> None:
    with closing(duckdb.connect(config=EXTENSIONS_AS_INSTALLED)) as connection:
        connection.execute(f"LOAD '{extension_file('postgres_scanner')}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{url}' AS rival (TYPE postgres)")
        connection.execute(f"INSERT INTO rival.public.telemetry {_everything(lake_files)}")


def _everything(lake_files: str) -> str:
    return (
        f"SELECT device_id, parameter, ts, value FROM read_parquet('{lake_files}/main/telemetry/**/*.parquet', hive_partitioning = false)"
    )
