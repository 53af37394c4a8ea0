"""The doctor finds what is wrong and says what mends it."""

import socket
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from factoryops import dagster_home, doctor, first_start
from factoryops.cli import app
from factoryops.doctor import OK, WARNING, WRONG, Finding
from tests.fixtures.postgres import sqlalchemy_url
from warehouse import landing
from warehouse.clock import SystemClock
from warehouse.installation import Installation
from warehouse.readings import empty_readings
from warehouse.settings import Settings
from warehouse.tenancy import system_session


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation as `factoryops init` makes it."""
    home = tmp_path / "home"
    settings = Settings(factoryops_home=home)
    first_start.initialise(settings, factory_name="Acme", slug="acme", timezone="UTC", email="boss@acme.example")
    return home


def finding(home: Path | None, what: str) -> Finding:
    return next(found for found in doctor.examine(home) if found.what == what)


def test_a_new_installation_is_well(home: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--home", str(home)])
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output


def test_every_finding_that_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    found = finding(tmp_path / "nowhere", "home")
    assert found.state == WRONG
    assert "factoryops init" in found.fix


def test_wrong_settings_are_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PORT", "mail")
    assert "SMTP_PORT" in finding(home, "settings").said
    assert CliRunner().invoke(app, ["doctor", "--home", str(home)]).exit_code == 1


def test_an_old_schema_is_found(home: Path) -> None:
    installation = Installation.open(Settings(factoryops_home=home))
    installation.db.migrate("0001")
    with installation.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    installation.close()
    assert finding(home, "database").state == WRONG


def test_a_lake_that_was_moved_away_is_found(home: Path) -> None:
    (home / "lake").rename(home / "elsewhere")
    assert finding(home, "lake").state == WRONG


def test_a_clock_that_went_back_is_found(home: Path) -> None:
    installation = Installation.open(Settings(factoryops_home=home))
    now = SystemClock().now()
    with system_session(installation.db, "test", write=True) as session:
        landing.append(session, empty_readings(), 0, now.replace(year=now.year + 1))
    installation.close()
    assert finding(home, "clock").state == WRONG


def test_a_secret_that_others_may_read_is_found(home: Path) -> None:
    (home / "secrets").mkdir(exist_ok=True)
    (home / "secrets" / "key").write_text("x")
    (home / "secrets" / "key").chmod(0o644)
    assert finding(home, "secrets").state == WRONG


def test_a_taken_broker_port_is_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("MQTT_BROKER_PORT", str(other.getsockname()[1]))
        assert finding(home, "broker").state == WARNING


def test_a_broker_of_ones_own_that_is_away_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("MQTT_BROKER_HOST", "127.0.0.1")
    monkeypatch.setenv("MQTT_BROKER_PORT", str(port))
    assert finding(home, "broker").state == WRONG


def test_changed_dagster_settings_are_a_warning(home: Path) -> None:
    dagster_home.write(Settings(factoryops_home=home), 3071)
    assert finding(home, "dagster").state == OK
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    assert finding(home, "dagster").state == WARNING


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "state", "said"),
    [
        ("factoryops", OK, "bound by row-level security"),
        ("postgres", WARNING, "SUPERUSER and BYPASSRLS"),
        ("free", WARNING, "has BYPASSRLS"),
    ],
)
def test_a_database_role_that_no_wall_binds_is_a_warning(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch, role: str, state: str, said: str
) -> None:
    if role == "free":
        with psycopg.connect(postgres_database.replace("factoryops@", "postgres@"), autocommit=True) as connection:
            connection.execute("DO $$ BEGIN CREATE ROLE free LOGIN BYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    monkeypatch.setenv("DATABASE_URL", sqlalchemy_url(postgres_database.replace("factoryops@", f"{role}@")))
    (tmp_path / "home").mkdir()
    found = finding(tmp_path / "home", "database role")
    assert (found.state, said in found.said) == (state, True), found
    assert bool(found.fix) == (state == WARNING)
