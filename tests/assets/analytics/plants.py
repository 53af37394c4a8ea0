"""A small factory with weeks of made-up readings: two kinds of machines, a neighbour, a tariff."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tests.fixtures.warehouse import migrate
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory, User
from warehouse.readings import READINGS
from warehouse.settings import Settings
from warehouse.tenancy import system_session

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


@contextmanager
def factory(home: Path, machines: int, timezone: str = "Europe/Berlin") -> Iterator[Installation]:
    """Factory 1 (`north`) with machines 1 to `machines`, factory 2 (`south`) with machine 99; the clock stands at NOW."""
    settings = Settings(factoryops_home=home, jwt_secret_key="for-tests-only-" + "x" * 32)
    installation = Installation(settings, Database(settings.operational_url), Lake(settings), ManualClock(NOW))
    migrate(installation.db)
    with system_session(installation.db, "test", write=True) as session:
        session.add_all([Factory(id=1, name="North", slug="north", timezone=timezone), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add(User(id=7, factory_id=1, email="a@north.example", hashed_password="x", role="admin"))
        for number in [*range(1, machines + 1), 99]:
            own = 2 if number == 99 else 1
            session.add(Device(id=number, factory_id=own, device_key=f"P{number:02d}", name=f"Pump {number}", kind="Pump"))
            session.flush()
            session.add(DeviceParameter(factory_id=own, device_id=number, parameter_key="vibration", display_name="Vibration", unit="mm/s"))
    yield installation
    installation.close()


def readings(device_id: int, parameter: str, moments: list[datetime], values: np.ndarray, factory_id: int = 1) -> pl.DataFrame:
    """READINGS of one parameter, received at device time."""
    rows = {"factory_id": factory_id, "device_id": device_id, "parameter": parameter, "ts": moments, "value": values, "text": None}
    return pl.DataFrame(rows).with_columns(received_at="ts").select(READINGS.names()).cast(dict(READINGS))


def moments(days: int, step: timedelta, end: datetime = NOW) -> list[datetime]:
    """From `days` before `end` to `end`, without it, at whole steps of the hour."""
    begin = (end - timedelta(days=days)).replace(minute=0)
    return [begin + step * at for at in range(int((end - begin) / step))]
