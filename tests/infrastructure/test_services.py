"""What happens where a program that tests need is missing: named, and in CI a failure."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import helpers

TOOLS = ("bash", "cut", "id", "printf", "tr")


@pytest.fixture
def poor_path(tmp_path: Path) -> Path:
    """A folder to use as PATH: with the tools that the script itself needs, without the services and without apt."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(helpers.require_program(tool, package="coreutils"))
    return tmp_path


def run_services_script(path: Path, ci: str) -> subprocess.CompletedProcess[str]:
    command = [str(path / "bash"), str(helpers.REPOSITORY / "scripts" / "services.sh")]
    return subprocess.run(command, env={"PATH": str(path), "CI": ci}, capture_output=True, text=True, check=False)


def test_missing_programs_are_named_with_their_packages_and_tests(poor_path: Path) -> None:
    ran = run_services_script(poor_path, ci="")
    assert ran.returncode == 0
    assert "NOT ALL TESTS WILL RUN" in ran.stderr
    assert "chromium       (Debian package chromium): a browser" in ran.stderr
    assert "apt-get install mosquitto-clients chromium" in ran.stderr or "mosquitto mosquitto-clients" in ran.stderr


def test_missing_programs_fail_in_ci(poor_path: Path) -> None:
    assert run_services_script(poor_path, ci="true").returncode == 1


def test_a_missing_program_leaves_the_test_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "_services_required", False)
    with pytest.raises(pytest.skip.Exception, match="NOT RUN: the program no-such-program is missing; as root: apt-get install such"):
        helpers.require_program("no-such-program", package="such")


def test_a_missing_program_fails_the_test_where_services_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "_services_required", True)
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        helpers.require_program("no-such-program", package="such")


def test_a_program_in_a_folder_of_the_administrator_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy("/bin/true", tmp_path / "some-server")
    monkeypatch.setattr(helpers, "_EXTRA_FOLDERS", (str(tmp_path),))
    assert helpers.require_program("some-server", package="some") == tmp_path / "some-server"
