"""The import assets take over what their run configuration names, and say how much it was."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import imports
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tariffs import tariff_of
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow
FILES = {
    "devices": "key,name\nM1,Mill\n",
    "history_readings": "ts,device,temp\n2026-01-05T07:00:00Z,M1,1\n2026-01-05T07:00:01Z,M7,1\n",
    "maintenance_events": "id,machine,kind,start\n1,M1,failure,2026-01-05T07:00:00Z\n",
    "tariffs": "band,price,currency\notherwise,0.2,EUR\n",
}
SAID: dict[str, dict[str, Any]] = {
    "devices": {"rows": 1, "added": 1, "refused": 0},
    "history_readings": {"rows": 2, "added": 1, "rejected": {"unknown_device": 1}, "unknown_devices": {"M7": 1}},
    "maintenance_events": {"rows": 1, "added": 1, "refused": 0},
    "tariffs": {"bands": 0, "currency": "EUR"},
}


def test_each_import_is_an_asset(
    settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock, tmp_path: Path
) -> None:
    with system_session(sqlite_database, "test", write=True) as session:
        session.add(Factory(id=1, name="North", slug="north"))
    installation = Installation(settings, sqlite_database, lake, manual_clock)
    for asset in (imports.devices, imports.history_readings, imports.maintenance_events, imports.tariffs):
        name = asset.key.to_user_string()
        path = tmp_path / f"{name}.csv"
        path.write_text(FILES[name])
        place = {"file" if name == "history_readings" else "location": str(path)}
        config = {"ops": {name: {"config": {"factory": "north", **place}}}}
        done = dg.materialize([asset], resources={"installation": installation}, run_config=config)
        metadata = done.asset_materializations_for_node(name)[0].metadata
        assert {key: metadata[key].value for key in SAID[name]} == SAID[name]
    assert tariff_of(sqlite_database, 1) is not None
