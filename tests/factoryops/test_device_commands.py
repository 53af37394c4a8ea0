"""`factoryops devices` and `factoryops dead-letters`, on an installation of two factories."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factoryops.cli import app
from ingest.device_keys import verify_device_key
from ingest.figures import IngestFigures
from ingest.lander import Lander
from ingest.registration import devices_of
from tests.fixtures.two_plants import NOW, TwoPlants
from tests.ingest.messages import RETENTION, incoming
from warehouse import landing
from warehouse.tenancy import system_session


class Commands:
    def __init__(self, plants: TwoPlants) -> None:
        self.plants, self.db = plants, plants.installation.db

    def run(self, *arguments: str, code: int = 0) -> str:
        home = str(self.plants.installation.settings.home)
        result = CliRunner().invoke(app, [*arguments, "--home", home], env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        return result.output

    def land(self, topic: str, *payloads: dict | bytes) -> None:
        messages = [incoming(payload, topic, received=NOW) for payload in payloads]
        Lander(self.db, IngestFigures(), self.plants.clock, RETENTION).land(messages)

    def hash_of(self, device: str) -> str | None:
        return {row.device_key: row.api_key for row in devices_of(self.db, self.plants.north.person.factory_id)}[device]


@pytest.fixture
def commands(two_plants: TwoPlants, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Commands]:
    monkeypatch.chdir(tmp_path)
    return Commands(two_plants)


def password_in(said: str) -> str:
    return re.search(r"^Password\s+(\S+)$", said, re.MULTILINE)[1]  # type: ignore[index]


def test_a_machine_is_added_gets_another_key_and_loses_it(commands: Commands) -> None:
    said = commands.run("devices", "add", "NEW", "--factory", "north", "--name", "New mill")
    assert "north/devices/NEW" in said
    first = password_in(said)
    assert verify_device_key(first, commands.hash_of("NEW"))
    second = password_in(commands.run("devices", "key", "rotate", "NEW", "--factory", "north"))
    assert [verify_device_key(key, commands.hash_of("NEW")) for key in (first, second)] == [False, True]
    commands.run("devices", "key", "revoke", "NEW", "--factory", "north")
    assert commands.hash_of("NEW") is None
    listed = commands.run("devices", "list", "--factory", "north")
    assert re.search(r"NEW\W+New mill\W+active\W+none\W+never", listed)
    assert "SOU" not in listed
    assert "already" in commands.run("devices", "add", "NEW", "--factory", "north", code=2)
    assert "no machine" in commands.run("devices", "key", "rotate", "SOU-01", "--factory", "north", code=2)


def test_what_a_machine_sent_before_is_offered_and_taken_in(commands: Commands) -> None:
    commands.land("factories/north/devices/NEW/telemetry", {"metrics": {"spindle_temp": 20.5}}, b"broken")
    said = commands.run("devices", "add", "NEW", "--factory", "north")
    assert "It sent 2 messages before it was registered" in said
    assert "devices replay NEW" in said
    assert "Taken in: 1 messages.\nStill refused: 1 (not_json)" in commands.run("devices", "replay", "NEW", "--factory", "north")
    with system_session(commands.db, "read in a test") as session:
        assert [batch.readings["value"].to_list() for batch in landing.read_after(session, 0)] == [[20.5]]
    assert re.search(r"spindle_temp\W+Spindle temperature\W+°C\W+float", commands.run("devices", "show", "NEW", "--factory", "north"))


def test_a_parameter_is_renamed(commands: Commands) -> None:
    said = commands.run("devices", "rename", "NOR-01", "power", "--name", "Main drive", "--unit", "kW", "--factory", "north")
    assert said == "power: Main drive in kW\n"
    assert "Main drive" in commands.run("devices", "show", "NOR-01", "--factory", "north")


def test_letters_are_counted_shown_replayed_and_deleted(commands: Commands) -> None:
    assert "no dead letters" in commands.run("dead-letters", "list")
    commands.land("factories/north/devices/NOR-01/telemetry", b"n\xffnsense", b"[1]")
    commands.land("factories/south/devices/SOU-01/telemetry", b"foreign")
    commands.land("no/such/topic", {"metrics": {"a": 1}})
    said = commands.run("dead-letters", "list")
    assert re.search(r"2  not_json: The payload", said)
    assert "bad_topic" in said
    own = commands.run("dead-letters", "list", "--factory", "north")
    assert "NOR-01" in own
    assert "SOU-01" not in own
    shown = commands.run("dead-letters", "show", "1")
    assert "n\\xffnsense" in shown
    assert "factories/north/devices/NOR-01/telemetry" in shown
    assert "Still refused: 1 (bad_topic)" in commands.run("dead-letters", "replay", "--reason", "bad_topic", code=1)
    assert "Deleted: 2" in commands.run("dead-letters", "purge", "--device", "NOR-01")
    assert "Deleted: 1" in commands.run("dead-letters", "purge", "--factory", "south")
    assert "Deleted: 1" in commands.run("dead-letters", "purge", "--all")


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_without_a_choice_nothing_is_done(commands: Commands, command: str) -> None:
    commands.land("no/such/topic", b"x")
    assert "say which letters" in commands.run("dead-letters", command, code=2)
    assert "bad_topic" in commands.run("dead-letters", "list")
