"""The command line: what people see."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from factoryops.cli import app
from warehouse.access.passwords import verify_password
from warehouse.installation import Installation
from warehouse.models.people import Factory, User
from warehouse.settings import Settings
from warehouse.tenancy import system_session

COMMANDS = ("init", "up", "web", "ingest", "load", "simulate", "doctor", "bench", "version")


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from factoryops.cli import app; app(['--help'], standalone_mode=False); print(*sorted(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(re.search(rf"│ {command} ", result.stdout) for command in COMMANDS)
    assert not {"dagster", "duckdb", "polars", "sqlalchemy", "streamlit", "fastapi"} & set(result.stderr.split())


def test_version_is_that_of_the_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", invoke("version")[1])


def test_wrong_settings_are_one_message_and_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "eighty")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    code, output = invoke("init", "--home", tmp_path)
    assert code == 2
    assert "WEB_PORT" in output
    assert "LOG_LEVEL" in output
    assert "Traceback" not in output


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "eighty")
    result = CliRunner().invoke(app, ["--debug", "init", "--home", str(tmp_path)])
    assert type(result.exception).__name__ == "SettingsError"


def test_init_prints_a_password_that_works_and_refuses_a_second_time(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, output = invoke(
        "init", "--home", home, "--factory", "Acme Works", "--timezone", "Asia/Ho_Chi_Minh", "--email", "Boss@acme.example"
    )
    assert code == 0, output
    found = re.search(r"Password +(\S+)", output)
    assert found is not None
    installation = Installation.open(Settings(factoryops_home=home))
    with system_session(installation.db, "test") as session:
        factory, user = session.scalars(select(Factory)).one(), session.scalars(select(User)).one()
    installation.close()
    assert (factory.slug, factory.timezone, user.email, user.role) == ("acme-works", "Asia/Ho_Chi_Minh", "boss@acme.example", "super_admin")
    assert verify_password(found[1], user.hashed_password)
    # Nothing in the home holds it in the clear.
    assert not [path for path in home.rglob("*") if path.is_file() and found[1].encode() in path.read_bytes()]
    code, output = invoke("init", "--home", home)
    assert code == 2
    assert "has a factory already" in output
    assert "Password" not in output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--slug", "Not A Slug"), "slug"),
        (("--factory", "工場"), "--slug"),
        (("--timezone", "Mars/Base"), "time zone"),
        (("--email", "boss"), "e-mail"),
    ],
)
def test_init_refuses_what_would_not_work_before_it_makes_anything(tmp_path: Path, arguments: tuple[str, ...], what: str) -> None:
    code, output = invoke("init", "--home", tmp_path / "home", *arguments)
    assert code == 2
    assert what in output
    assert not (tmp_path / "home").exists()


def test_up_without_a_factory_says_what_to_do(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "factoryops", "up", "--home", str(tmp_path / "home")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 2
    assert "factoryops init" in result.stderr


def test_two_cannot_run_on_one_home(tmp_path: Path) -> None:
    from factoryops import up

    with up.only_one(tmp_path):
        assert up.is_running(tmp_path)
        result = subprocess.run(
            [sys.executable, "-m", "factoryops", "up", "--home", str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
        )
    assert result.returncode == 2
    assert "runs on" in result.stderr
    assert not up.is_running(tmp_path)


def test_help_loads_none_of_the_heavy_libraries() -> None:
    """They cost seconds; the commands import what they need themselves."""
    heavy = ("dagster", "duckdb", "polars", "streamlit", "fastapi")
    looked_at = f"import sys, factoryops.cli; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", looked_at], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
