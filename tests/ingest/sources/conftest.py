"""A factory with two machines to import into, and a foreign one."""

import pytest

from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session


@pytest.fixture
def plant(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Installation:
    """Factory 1 (north, Europe/Berlin) with machines 1 = M1 and 2 = M2; factory 2 with machine 3 = S1. Monday 2026-01-05 08:00 UTC."""
    with system_session(sqlite_database, "test", write=True) as session:
        session.add(Factory(id=1, name="North", slug="north", timezone="Europe/Berlin"))
        session.add(Factory(id=2, name="South", slug="south"))
        session.flush()
        session.add(Device(id=1, factory_id=1, device_key="M1"))
        session.add(Device(id=2, factory_id=1, device_key="M2"))
        session.add(Device(id=3, factory_id=2, device_key="S1"))
    return Installation(settings, sqlite_database, lake, manual_clock)
