"""The examples of docs/api.md and the notebook of the API run as they stand there, against a real server."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from api.app import create_app
from tests.fixtures.two_plants import TwoPlants
from tests.helpers import REPOSITORY, wait_until
from warehouse.clock import SystemClock
from warehouse.models.alerting import Alert
from warehouse.models.people import User
from warehouse.tenancy import system_session, tenant_session

PAGE = REPOSITORY / "docs" / "api.md"
NOTEBOOK = REPOSITORY / "notebooks" / "api" / "ask_the_api.ipynb"
ADDRESS = "http://127.0.0.1:8080"
pytestmark = pytest.mark.slow


@pytest.fixture
def address(two_plants: TwoPlants) -> Iterator[str]:
    two_plants.clock.set(SystemClock().now())
    with system_session(two_plants.installation.db, "test", write=True) as session:
        session.get_one(User, two_plants.north.person.user_id).email = "engineer@vpc.example"
    app = Starlette(routes=[Mount("/api", create_app(two_plants.installation))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def example(language: str, address: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    assert ADDRESS in found[0]
    return found[0].replace(ADDRESS, address)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example_runs(address: str, tmp_path: Path) -> None:
    said = run([sys.executable, "-c", example("python", address)], tmp_path).splitlines()
    assert said[0] == "1 alerts, on {'2026-01-05': 1}"
    assert said[1] == "pending 1"
    assert said[2].startswith("422 ")


def test_the_curl_example_runs(address: str, tmp_path: Path) -> None:
    said = run(["bash", "-e", "-c", example("sh", address)], tmp_path)
    assert '"slug":"north"' in said
    assert '"per_page":2' in said
    assert "event: values" in said
    assert len((tmp_path / "power.csv").read_text(encoding="utf-8").splitlines()) == 61


def test_the_notebook_asks_a_real_server(address: str, two_plants: TwoPlants) -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert not any("warehouse" in cell.source or "factoryops." in cell.source for cell in cells), "a client imports nothing of ours"
    found: dict[str, Any] = {}
    for cell in cells:
        # In this process: a kernel would take seconds.
        exec(compile(cell.source.replace(ADDRESS, address), NOTEBOOK.name, "exec"), found)  # noqa: S102
    found["api"].close()
    assert found["machines"]["device_key"].to_list() == ["NOR-01", "NOR-02", "NOR-03"]
    assert found["readings"]["parameter"].unique().sort().to_list() == ["power", "vibration"]
    assert found["power"]["value"].to_list() == [1000.0] * found["power"].height
    assert found["seen"][0]["values"]
    assert found["refused"].status_code == 422
    with tenant_session(two_plants.installation.db, two_plants.north.person.factory_id) as session:
        assert session.get_one(Alert, two_plants.north.alerts[0]).acknowledged_by == two_plants.north.person.user_id
