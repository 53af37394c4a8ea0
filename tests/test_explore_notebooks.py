"""The worked examples run on a plant with readings, and carry no outputs."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import nbformat
import polars as pl
import pytest

from tests.fixtures.warehouse import migrate
from tests.helpers import REPOSITORY
from tests.warehouse.frames import START, series
from warehouse import rollups
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

NOTEBOOKS = sorted((REPOSITORY / "notebooks" / "explore").glob("*.ipynb"))


def test_there_are_three_without_outputs() -> None:
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        cells = nbformat.read(path, 4).cells
        assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in cells), path.name


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database(settings.operational_url)
    migrate(db)
    with system_session(db, "test", write=True) as session:
        session.add(Factory(id=1, name="VPC", slug="vpc", timezone="Asia/Ho_Chi_Minh"))
        session.flush()
        session.add_all([Device(id=i, factory_id=1, device_key=f"M{i}", kind="Pump") for i in (1, 2)])
    db.dispose()
    with closing(Lake(settings)) as lake:
        values = [float(100 + i % 7) for i in range(60 * 72)]
        lake.append(pl.concat([series(1, "power", values), series(2, "power", [v * 1.2 for v in values]), series(1, "temp", values)]))
        rollups.roll_up(lake, START + timedelta(days=9), {1: "Asia/Ho_Chi_Minh"})
    monkeypatch.setenv("FACTORYOPS_HOME", str(settings.home))
    answers: dict[str, object] = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, path.name, "exec"), answers)  # noqa: S102  # in this process: a kernel would take seconds
    assert answers["db"]
    answers["db"].close()  # type: ignore[attr-defined]
