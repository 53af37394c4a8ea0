"""The demo's story, lived through once for all tests of this folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import REPOSITORY, require_program


def namespace_command() -> tuple[str, ...]:
    """What to put before a command so that it has a network of its own; nothing where that is not allowed."""
    command = ("unshare", "-rn") if shutil.which("unshare") and shutil.which("ip") else ()
    return command if command and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else ()


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Facts of `tests.demo.story`."""
    require_program("mosquitto", package="mosquitto")
    require_program("mosquitto_pub", package="mosquitto-clients")
    folder: Path = tmp_path_factory.mktemp("demo")
    command = [*namespace_command(), sys.executable, "-m", "tests.demo.story", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=1100, check=False)
    if result.returncode:
        pytest.fail(f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}", pytrace=False)
    return json.loads((folder / "facts.json").read_text())
