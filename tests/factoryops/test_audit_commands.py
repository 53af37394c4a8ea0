"""`factoryops audit`: what it says and how it ends."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factoryops.cli import app
from tests.fixtures.people import add_person
from tests.fixtures.warehouse import A_MONDAY
from warehouse.access import audit
from warehouse.db import Database
from warehouse.tenancy import tenant_session


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path, password_hash: str) -> Path:
    shutil.copy(sqlite_template, tmp_path / "factoryops.sqlite")
    db = Database(f"sqlite:///{tmp_path / 'factoryops.sqlite'}")
    person = add_person(db, password_hash, "north")
    for number in range(3):
        with tenant_session(db, person.factory_id, write=True) as session:
            audit.append(session, "rule.update", f"rule:{number}", A_MONDAY, audit.Actor(person.factory_id, person.user_id))
    db.dispose()
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["audit", *arguments])
    return found.exit_code, found.stdout


def test_a_whole_trail_ends_well_and_prints_its_head(home: Path) -> None:
    status, said = run("verify", "--home", str(home))
    assert status == 0
    assert said.startswith("north: whole, 3 events, head ")
    head = said.split()[-1]
    assert run("verify", "--factory", "north", "--head", head, "--home", str(home))[0] == 0


def test_a_trail_that_was_edited_ends_badly_and_names_the_event(home: Path) -> None:
    db = Database(f"sqlite:///{home / 'factoryops.sqlite'}")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_events_no_update")
        connection.exec_driver_sql("UPDATE audit_events SET target = 'rule:9' WHERE position = 2")
    db.dispose()
    status, said = run("verify", "--home", str(home))
    assert status == 1
    assert "NOT WHOLE" in said
    assert "event 2 (rule.update rule:9) was changed" in said


def test_all_events_are_exported(home: Path) -> None:
    status, said = run("export", "north", "--home", str(home))
    assert status == 0
    assert [json.loads(line)["target"] for line in said.splitlines()] == ["rule:0", "rule:1", "rule:2"]
    assert len(run("export", "north", "--csv", "--home", str(home))[1].splitlines()) == 4
