"""Maintenance events, machines and tariffs from files, databases and REST, through dlt: twice is once, what changed changes."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest
from sqlalchemy import create_engine, text

from ingest.sources.devices import import_devices
from ingest.sources.maintenance import import_maintenance
from ingest.sources.rows import RowSource, moment_of
from ingest.sources.tariffs import import_tariff, weekdays_of
from tests.warehouse.frames import START
from warehouse.errors import InvalidInputError, PermanentError
from warehouse.installation import Installation
from warehouse.models.devices import Device
from warehouse.queries.energy_use import Band
from warehouse.tariffs import tariff_of
from warehouse.tenancy import tenant_session
from warehouse.upkeep import maintenance_events

pytestmark = pytest.mark.slow
ORDERS = (
    "order;machine;type;start;end;reason;cost\n"
    "A1;M1;breakdown;2026-01-04 07:00;2026-01-04 09:30;bearing;1200,5\n"
    "A2;M2;preventive;2026-01-05 06:00;;;\n"
    "A3;S1;breakdown;2026-01-04 07:00;;;\n"
    "A4;M1;party;2026-01-04 07:00;;;\n"
    "A5;M1;breakdown;2026-01-04 07:00;2026-01-04 06:00;;\n"
    "A6;M1;breakdown;yesterday;;;\n"
)


def events(plant: Installation, factory_id: int = 1) -> list[tuple[object, ...]]:
    found = maintenance_events(plant.db, factory_id, START - timedelta(days=9), START + timedelta(days=9))
    return found.select("external_id", "device_id", "kind", "began_at", "ended_at", "reason", "cost").rows()


def test_work_orders_from_csv(plant: Installation, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    done = import_maintenance(plant, 1, RowSource(str(path)))
    assert (done.rows, done.added, [line for line, _ in done.problems]) == (6, 2, [3, 4, 5, 6])
    # Times of a plant in Berlin.
    assert events(plant) == [
        ("A1", 1, "failure", datetime(2026, 1, 4, 6, tzinfo=UTC), datetime(2026, 1, 4, 8, 30, tzinfo=UTC), "bearing", 1200.5),
        ("A2", 2, "planned", datetime(2026, 1, 5, 5, tzinfo=UTC), None, None, None),
    ]
    path.write_text(ORDERS.replace("06:00;;;", "06:00;2026-01-05 08:00;oil;"))
    again = import_maintenance(plant, 1, RowSource(str(path)))
    assert (again.added, again.changed, again.unchanged) == (0, 1, 1)
    assert events(plant)[1][4:6] == (datetime(2026, 1, 5, 7, tzinfo=UTC), "oil")
    assert events(plant, 2) == []


def test_a_dry_run_writes_nothing(plant: Installation, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    assert import_maintenance(plant, 1, RowSource(str(tmp_path / "orders.csv")), dry_run=True).added == 2
    assert events(plant) == []


def test_work_orders_from_a_table_of_a_database(plant: Installation, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'cmms.sqlite'}"
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (nr INTEGER PRIMARY KEY, asset TEXT, art TEXT, failed TIMESTAMP, price REAL)"))
        connection.execute(text("INSERT INTO orders VALUES (7, 'M1', 'Ausfall', '2026-01-04 07:00:00.000000', 10.5)"))
    engine.dispose()
    source, named = RowSource(address, table="orders"), {"external_id": "nr", "began_at": "failed"}
    assert import_maintenance(plant, 1, source, named).added == 1
    assert import_maintenance(plant, 1, source, named).unchanged == 1
    assert events(plant) == [("7", 1, "failure", datetime(2026, 1, 4, 6, tzinfo=UTC), None, None, 10.5)]
    with pytest.raises(PermanentError, match=r"no column 'nope'"):
        import_maintenance(plant, 1, source, {"began_at": "nope"})


@pytest.fixture
def rest_server() -> Iterator[str]:
    """Three orders on two pages, for who sends the right key."""

    class Orders(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
            orders = [
                {"id": n, "machine": "M1", "kind": "failure", "start": f"2026-01-0{n}T00:00:00Z"} for n in ((1, 2) if page == 1 else (3,))
            ]
            answer: dict[str, object] = {"data": orders, "next": f"http://{self.headers['Host']}/orders?page=2" if page == 1 else None}
            body = json.dumps(answer).encode()
            self.send_response(200 if self.headers.get("Authorization") == "Bearer key" else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Orders) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/orders"
        server.shutdown()
        thread.join()


def test_work_orders_from_a_rest_endpoint_with_pages(plant: Installation, rest_server: str) -> None:
    source = RowSource(rest_server, headers={"Authorization": "Bearer key"})
    assert import_maintenance(plant, 1, source).added == 3
    assert [row[0] for row in events(plant)] == ["1", "2", "3"]
    with pytest.raises(PermanentError, match="401"):
        import_maintenance(plant, 1, RowSource(rest_server))


def test_machines_from_excel_and_csv(plant: Installation, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (
        ["Key", "Name", "Type", "Area", "Weight", "Active"],
        ["M1", "Mill", "CNC mill", "Hall A", 3, None],
        ["M9", "Saw", None, None, None, "no"],
    ):
        sheet.append(row)
    sheet.append(["bad key", None, None, None, None, None])
    book.save(tmp_path / "machines.xlsx")
    done = import_devices(plant, 1, RowSource(str(tmp_path / "machines.xlsx")))
    assert (done.added, done.changed, [line for line, _ in done.problems]) == (1, 1, [3])
    (tmp_path / "more.csv").write_text("key,region,importance\nM1,,\nM9,Yard,2\n")
    more = import_devices(plant, 1, RowSource(str(tmp_path / "more.csv")))
    assert (more.added, more.changed, more.unchanged) == (0, 1, 1)
    with tenant_session(plant.db, 1) as session:
        found = {d.device_key: (d.name, d.kind, d.region, d.importance, d.is_active) for d in session.query(Device)}
    assert found["M1"] == ("Mill", "CNC mill", "Hall A", 3.0, True)
    assert found["M9"] == ("Saw", None, "Yard", 2.0, False)


TARIFF = "band,price,weekdays,begin_hour,end_hour,currency,carbon_kg_a_kwh\npeak,0.31,mon-fri,8,20,EUR,0.38\notherwise,0.22,,,,,\n"


def test_a_tariff_replaces_the_one_before(plant: Installation, tmp_path: Path) -> None:
    (tmp_path / "tariff.csv").write_text(TARIFF)
    import_tariff(plant, 1, RowSource(str(tmp_path / "tariff.csv")))
    found = tariff_of(plant.db, 1)
    assert found is not None
    assert (found.currency, found.otherwise, found.carbon_kg_a_kwh) == ("EUR", 0.22, 0.38)
    assert found.bands == (Band("peak", 0.31, (0, 1, 2, 3, 4), 8, 20),)
    assert tariff_of(plant.db, 2) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("otherwise,0.22", "rest,0.22"), ("0.31,", "cheap,"), ("mon-fri", "monthly"), ("8,20", "20,8"), (",0.22,,,,,", ",0.22,,,,USD,")],
)
def test_a_tariff_with_one_bad_row_changes_nothing(plant: Installation, tmp_path: Path, wrong: str, said: str) -> None:
    (tmp_path / "tariff.csv").write_text(TARIFF.replace(wrong, said))
    with pytest.raises(InvalidInputError):
        import_tariff(plant, 1, RowSource(str(tmp_path / "tariff.csv")))
    assert tariff_of(plant.db, 1) is None


def test_weekdays_in_words() -> None:
    assert weekdays_of("Sat, sun") == (5, 6)
    assert weekdays_of("fri-mon") == (0, 4, 5, 6)
    assert weekdays_of(None) == (0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("value", ["2026-01-05T08:00:00Z", "2026-01-05 08:00", 1767600000, 1767600000000, datetime(2026, 1, 5, 8)])  # noqa: DTZ001
def test_moments_of_other_systems(value: object) -> None:
    assert moment_of(value, UTC) == START
