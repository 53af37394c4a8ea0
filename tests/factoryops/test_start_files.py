"""What a start chooses and writes: ports, the demo's sign-in, Dagster's folder, the log."""

import io
import socket
import stat
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from factoryops import dagster_home, ports
from factoryops.demo_sign_in import DemoSignIn, read_sign_in, write_sign_in
from factoryops.log_stream import LogStream
from warehouse.clock import ManualClock
from warehouse.errors import PermanentError
from warehouse.settings import Settings


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert ports.free_port_from(taken) > taken
    assert ports.free_port_from(taken) == taken


def test_a_promised_port_is_not_given_twice() -> None:
    first = ports.free_port_from(42_000)
    assert ports.free_port_from(first, taken=frozenset({first})) > first


def test_no_free_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda *_: False)
    with pytest.raises(PermanentError, match="none of the ports 8080 to 8129"):
        ports.free_port_from(8080)


def test_the_demos_sign_in_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    assert read_sign_in(tmp_path) is None
    write_sign_in(tmp_path, DemoSignIn("Acme", "demo@acme.example", "secret"))
    write_sign_in(tmp_path, DemoSignIn("Acme", "demo@acme.example", "other"))
    assert read_sign_in(tmp_path) == DemoSignIn("Acme", "demo@acme.example", "other")
    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()] == [("demo-sign-in.json", 0o600)]


def test_dagsters_folder_turns_telemetry_off_and_names_our_code(tmp_path: Path) -> None:
    dagster_home.write(Settings(factoryops_home=tmp_path), 4711)
    instance = yaml.safe_load((tmp_path / "dagster" / "dagster.yaml").read_text())
    workspace = yaml.safe_load((tmp_path / "dagster" / "workspace.yaml").read_text())
    assert instance["telemetry"] == {"enabled": False}
    assert instance["sensors"]["use_threads"] is True
    assert workspace["load_from"] == [{"grpc_server": {"host": "127.0.0.1", "port": 4711, "location_name": "factoryops"}}]
    assert "storage" not in instance


def test_on_several_machines_dagster_keeps_its_state_in_a_database_that_only_its_owner_can_read_of(tmp_path: Path) -> None:
    address = "postgresql://user:password@db/dagster"
    folder = dagster_home.write(Settings(factoryops_home=tmp_path, dagster_database_url=address, dagster_code_host="code"), 3071)
    instance = yaml.safe_load((folder / "dagster.yaml").read_text())
    workspace = yaml.safe_load((folder / "workspace.yaml").read_text())
    assert instance["storage"] == {"postgres": {"postgres_url": address.replace("postgresql:", "postgresql+psycopg2:")}}
    assert stat.S_IMODE((folder / "dagster.yaml").stat().st_mode) == 0o600
    assert workspace["load_from"][0]["grpc_server"]["host"] == "code"


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stream(screen: io.StringIO, tmp_path: Path, manual_clock: ManualClock) -> LogStream:
    return LogStream(Console(file=screen, width=40), tmp_path / "logs" / "factoryops.log", manual_clock)


def test_each_line_is_shown_whole_with_its_process_and_kept(stream: LogStream, screen: io.StringIO, tmp_path: Path) -> None:
    stream.say("ingester", "\x1b[31m[bold]" + "x" * 60 + "\x1b[0m")
    stream.say("ingester", "  ")
    stream.close()
    assert screen.getvalue() == "ingester     │ [bold]" + "x" * 60 + "\n"
    assert (tmp_path / "logs" / "factoryops.log").read_text() == "2026-01-05 08:00:00 ingester     [bold]" + "x" * 60 + "\n"


def test_a_terminal_that_went_away_does_not_stop_the_processes(tmp_path: Path, manual_clock: ManualClock) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    stream = LogStream(Console(file=Gone()), tmp_path / "log", manual_clock)
    stream.say("web", "one")
    stream.say("web", "two")
    stream.close()
    assert len((tmp_path / "log").read_text().splitlines()) == 2
