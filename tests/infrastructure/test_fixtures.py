"""The fixtures themselves: that the services they promise are real and separate."""

import smtplib
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog

from tests.fixtures.mail import SmtpServer
from tests.helpers import free_port, port_is_open, wait_until
from warehouse.db import Database
from warehouse.logs import configure_logs
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from warehouse.lake import Lake


def test_wait_until_returns_what_the_predicate_said() -> None:
    answers = iter([None, 0, "ready"])
    assert wait_until(lambda: next(answers), 1) == "ready"


def test_wait_until_fails_with_what_was_awaited() -> None:
    with pytest.raises(pytest.fail.Exception, match="still not: the moon is full"):
        wait_until(lambda: False, 0.05, "the moon is full")


def test_free_port_is_one_that_nobody_listens_on() -> None:
    assert not port_is_open(free_port())


def test_smtp_server_keeps_what_it_is_sent(smtp_server: SmtpServer) -> None:
    with smtplib.SMTP(smtp_server.host, smtp_server.port) as client:
        client.sendmail("from@example.com", ["to@example.com"], "Subject: hot\r\n\r\n92 °C".encode())
    [mail] = smtp_server.mails
    assert mail.recipients == ["to@example.com"]
    assert mail.message["Subject"] == "hot"


def test_smtp_server_can_be_told_to_refuse(smtp_server: SmtpServer) -> None:
    smtp_server.refuse_with = "451 try later"
    with smtplib.SMTP(smtp_server.host, smtp_server.port) as client, pytest.raises(smtplib.SMTPDataError):
        client.sendmail("from@example.com", ["to@example.com"], b"Subject: hot\r\n\r\n")
    assert smtp_server.mails == []


def test_postgres_database_is_a_real_and_empty_one(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        [version] = connection.execute("SHOW server_version_num").fetchone() or [None]
        [tables] = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() or [None]
    assert int(version) >= 150000
    assert tables == 0


def test_chromium_shows_a_page(chromium: "Browser") -> None:
    page = chromium.new_page()
    page.set_content("<title>FactoryOps</title>")
    assert page.title() == "FactoryOps"
    page.close()


def test_database_is_migrated_and_empty(database: Database) -> None:
    with system_session(database, "test") as session:
        assert session.query(Factory).count() == 0


def test_postgresql_role_of_the_tests_is_bound_by_row_level_security(postgresql_database: Database) -> None:
    with postgresql_database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").scalar_one()
    assert found is False


def test_settings_of_the_developer_do_not_reach_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("APP_URL=http://from.example\n")
    monkeypatch.chdir(tmp_path)
    assert Settings.load().app_url != "http://from.example"


def test_lake_is_empty(lake: "Lake") -> None:
    assert lake.loader_position("0") == 0


def test_lake_with_its_catalog_in_postgresql_is_empty(postgresql_lake: "Lake") -> None:
    assert postgresql_lake.loader_position("0") == 0


@pytest.mark.parametrize("_", ["first", "second"])
def test_logs_set_up_by_one_test_do_not_write_to_its_closed_output_in_the_next(
    _: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.get_logger().warning("before")
    configure_logs(settings)
    structlog.get_logger().warning("after")
    assert "after" in capsys.readouterr().err
