"""The assets of key figures write the days that they are asked for, for every factory."""

import dagster as dg
import pytest

from assets.figures import FIGURES
from tests.warehouse.frames import series
from tests.warehouse.queries.conftest import plant
from warehouse.clock import ManualClock
from warehouse.day_figures import day_figures
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

__all__ = ["plant"]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_figures_of_all_factories(settings: Settings, plant: Database, lake: Lake, manual_clock: ManualClock) -> None:
    lake.append(series(1, "power", [1000.0] * 3, start_s=-300))
    lake.append(series(9, "power", [1000.0] * 3, start_s=-300, factory_id=2))
    now = manual_clock.now()
    config = {"ops": {asset.op.name: {"config": {"days": 3}} for asset in FIGURES}}
    done = dg.materialize(FIGURES, resources={"installation": Installation(settings, plant, lake, manual_clock)}, run_config=config)
    assert done.success
    for factory_id, machines in ((1, 4), (2, 1)):
        found = day_figures(lake, factory_id, "availability_days", now.replace(year=2025), now)
        assert found.height == 3 * machines
    assert day_figures(lake, 2, "energy_days", now.replace(year=2025), now)["kwh"].sum() > 0
