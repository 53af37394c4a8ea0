"""Engineers read the tables of one factory and can write nothing; the catalogue says what there is."""

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from scripts.document_tables import TABLES_PAGE
from tests.fixtures.warehouse import migrate
from tests.warehouse.frames import series
from warehouse.catalogue import TABLES, as_markdown, lake_columns
from warehouse.db import Database
from warehouse.direct import connect
from warehouse.errors import NotFoundError, TenancyError
from warehouse.extensions import extension_file
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.own_tables import FactoryTables
from warehouse.settings import Settings
from warehouse.tables import READABLE
from warehouse.tenancy import system_session


@pytest.fixture
def north(settings: Settings) -> Iterator[FactoryTables]:
    db = Database(settings.operational_url)
    migrate(db)
    with system_session(db, "test", write=True) as session:
        session.add_all([Factory(id=1, name="North", slug="north"), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add_all([Device(id=1, factory_id=1, device_key="M1"), Device(id=9, factory_id=2, device_key="M9")])
    db.dispose()
    with closing(Lake(settings)) as lake:
        lake.append(series(1, "power", [1.0, 2.0, 3.0]))
        lake.append(series(9, "power", [9.0] * 300, factory_id=2))
    with closing(connect("north", settings)) as connection:
        yield connection


def a_file(settings: Settings) -> str:
    with closing(Lake(settings)) as lake, lake.cursor() as cursor:
        return str(cursor.execute("SELECT data_file FROM ducklake_list_files('lake', 'telemetry')").fetchall()[0][0])


def test_tables_show_one_factory(north: FactoryTables) -> None:
    assert north.execute("SELECT device_key, sum(value) FROM telemetry JOIN devices USING (device_id) GROUP BY ALL").fetchall() == [
        ("M1", 6.0)
    ]


def test_questions_to_the_own_tables_are_answered(north: FactoryTables) -> None:
    for question in (
        "SELECT count(*) FROM telemetry t JOIN range(3) r(i) ON true",
        "WITH own AS (FROM telemetry) SELECT max(value) FROM own WHERE value > (SELECT min(value) FROM telemetry)",
        "DESCRIBE telemetry",
        "SUMMARIZE telemetry",
        "SHOW TABLES",
        "SELECT unnest([1, 2])",
        "FROM (PIVOT telemetry ON parameter IN ('power') USING avg(value) GROUP BY device_id)",
    ):
        assert north.sql(question).fetchall(), question


ELSEWHERE = {
    "the lake": "SELECT * FROM lake.telemetry",
    "the lake, quoted": 'SELECT * FROM "lake"."main"."telemetry"',
    "the lake as it was": "FROM lake.telemetry AT (VERSION => 3)",
    "another statement of the same text": "SELECT 1; SELECT * FROM lake.telemetry",
    "a subquery": "SELECT (SELECT max(value) FROM lake.telemetry)",
    "behind an own name": "WITH telemetry AS (FROM lake.telemetry) FROM telemetry",
    "a file behind an own name": 'SELECT * FROM (WITH "{file}" AS (SELECT 1) SELECT 1), "{file}"',
    "a set operation": "FROM telemetry UNION ALL BY NAME FROM lake.telemetry",
    "a summary": "SUMMARIZE lake.telemetry",
    "a pivot": "FROM (PIVOT lake.telemetry ON parameter IN ('power') USING avg(value) GROUP BY device_id)",
    "the catalog": "FROM __ducklake_metadata_lake.ducklake_data_file",
    "a file by its name": "FROM '{file}'",
    "a file by a function": "FROM read_parquet('{file}')",
    "all files": "FROM read_parquet('{folder}/**/*.parquet')",
    "text of a file": "FROM read_text('/etc/passwd')",
    "names of files": "FROM glob('{folder}/**')",
    "SQL in a string": "FROM query('FROM lake.telemetry')",
    "a table in a string": "FROM query_table('lake.telemetry')",
    "serialized SQL": "FROM json_execute_serialized_sql(json_serialize_sql('FROM lake.telemetry'))",
    "the lake's functions": "FROM ducklake_list_files('lake', 'telemetry')",
    "changes of the lake": "FROM lake.table_insertions('telemetry', 1, 9)",
    "DuckDB's own tables": "FROM duckdb_tables()",
    "names of the lake's tables": "SHOW ALL TABLES",
    "secrets": "FROM duckdb_secrets()",
    "a prepared statement": "PREPARE p AS FROM lake.telemetry",
    "another default": "USE lake",
    "an attached catalog": "ATTACH '{catalog}' AS other",
    "writing": "DELETE FROM lake.telemetry",
    "making a view": "CREATE VIEW mine AS FROM lake.telemetry",
    "a copy": "COPY (FROM telemetry) TO '/tmp/written.csv'",
    "an extension": "INSTALL spatial",
    "a setting": "SET enable_external_access = true",
    "a pragma": "PRAGMA database_list",
    "a call": "CALL ducklake_snapshots('lake')",
    "an explanation": "EXPLAIN ANALYZE FROM lake.telemetry",
}


def test_no_question_leaves_the_factory(north: FactoryTables, settings: Settings) -> None:
    names = {"file": a_file(settings), "folder": settings.lake_files, "catalog": settings.lake_catalog_url or settings.catalog_path}
    answered = []
    for name, question in ELSEWHERE.items():
        try:
            north.sql(question.format(**names))
            answered.append(name)
        except TenancyError:
            continue
    assert answered == []


def test_beside_that_nothing_can_be_written_or_read(north: FactoryTables) -> None:
    code = f"LOAD '{extension_file('httpfs')}'"
    for statement in ("DELETE FROM lake.telemetry", "COPY (SELECT 1) TO '/tmp/written.csv'", "FROM read_text('/etc/passwd')", code):
        with pytest.raises(duckdb.Error):
            north._connection.execute(statement)


def test_wrong_sql_is_explained_by_duckdb(north: FactoryTables) -> None:
    with pytest.raises(duckdb.ParserException, match="syntax error"):
        north.sql("SELEKT 1")
    with pytest.raises(duckdb.BinderException, match="nothing_of_that_name"):
        north.sql("SELECT nothing_of_that_name FROM telemetry")


def test_an_unknown_factory_is_said_with_those_there_are(settings: Settings, north: FactoryTables) -> None:
    with pytest.raises(NotFoundError, match="north, south"):
        connect("west", settings)


def test_the_catalogue_is_what_the_connection_has(north: FactoryTables) -> None:
    for table, (_, columns) in TABLES.items():
        assert north.sql(f"FROM {table}").columns == list(columns)


def test_every_lake_table_is_documented() -> None:
    assert set(READABLE) <= set(TABLES)
    assert all(lake_columns(table) == list(TABLES[table][1]) for table in READABLE)


def test_the_page_is_what_the_catalogue_says_today() -> None:
    assert TABLES_PAGE.read_text(encoding="utf-8") == as_markdown(), "run `make docs` and commit what it writes"
