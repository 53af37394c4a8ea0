"""Engineers read the tables of one factory and can write nothing; the catalogue says what there is."""

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from scripts.document_tables import TABLES_PAGE
from tests.warehouse.frames import series
from warehouse.catalogue import TABLES, as_markdown, lake_columns
from warehouse.db import Database
from warehouse.direct import connect
from warehouse.errors import NotFoundError
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tables import READABLE
from warehouse.tenancy import system_session


@pytest.fixture
def north(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    db = Database(settings.operational_url)
    db.migrate()
    with system_session(db, "test", write=True) as session:
        session.add_all([Factory(id=1, name="North", slug="north"), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add_all([Device(id=1, factory_id=1, device_key="M1"), Device(id=9, factory_id=2, device_key="M9")])
    db.dispose()
    with closing(Lake(settings)) as lake:
        lake.append(series(1, "power", [1.0, 2.0, 3.0]))
        lake.append(series(9, "power", [9.0], factory_id=2))
    with closing(connect("north", settings)) as connection:
        yield connection


def test_tables_show_one_factory(north: duckdb.DuckDBPyConnection) -> None:
    assert north.execute("SELECT device_key, sum(value) FROM telemetry JOIN devices USING (device_id) GROUP BY ALL").fetchall() == [
        ("M1", 6.0)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM lake.telemetry",
        "INSERT INTO lake.loader_progress VALUES ('main', 9)",
        "CREATE TABLE lake.mine (a INTEGER)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/written.csv'",
        "INSTALL spatial",
        "SET enable_external_access = true",
    ],
)
def test_nothing_can_be_written_or_read_beside_the_lake(north: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(duckdb.Error):
        north.execute(statement)


def test_an_unknown_factory_is_said_with_those_there_are(settings: Settings, north: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotFoundError, match="north, south"):
        connect("west", settings)


def test_the_catalogue_is_what_the_connection_has(north: duckdb.DuckDBPyConnection) -> None:
    for table, (_, columns) in TABLES.items():
        assert north.table(table).columns == list(columns)


def test_every_lake_table_is_documented() -> None:
    assert set(READABLE) <= set(TABLES)
    assert all(lake_columns(table) == list(TABLES[table][1]) for table in READABLE)


def test_the_page_is_what_the_catalogue_says_today() -> None:
    assert TABLES_PAGE.read_text(encoding="utf-8") == as_markdown(), "run `make docs` and commit what it writes"
