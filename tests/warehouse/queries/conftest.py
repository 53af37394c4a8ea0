"""Two factories with machines, alerts and readings, whose answers can be worked out by hand."""

from datetime import timedelta

import pytest

from tests.warehouse.frames import at
from warehouse.db import Database
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import Factory, User
from warehouse.tenancy import system_session

NOW = at(3600)
OFFLINE_AFTER = timedelta(minutes=5)


@pytest.fixture
def plant(database: Database) -> Database:
    """North: mill 1 (fault), pump 2 (silent), oven 3 (fine). South: mill 9."""
    return filled(database)


def filled(database: Database) -> Database:
    """The database with what `plant` promises."""
    with system_session(database, "set up a test") as session:
        session.add_all([Factory(id=1, name="North", slug="north", timezone="Asia/Ho_Chi_Minh"), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add(User(id=7, factory_id=1, email="linh@north.example", name="Linh", hashed_password="x", role="admin"))
        session.add_all(
            [
                Device(id=1, factory_id=1, device_key="M1", name="Mill one", kind="CNC mill", last_seen=NOW),
                Device(id=2, factory_id=1, device_key="P2", kind="Pump", last_seen=NOW - timedelta(minutes=6)),
                Device(id=3, factory_id=1, device_key="O3", kind="Oven", last_seen=NOW),
                Device(id=4, factory_id=1, device_key="E4", kind="Energy meter", last_seen=NOW),
                Device(id=5, factory_id=1, device_key="X5", kind="Scrapped", is_active=False),
                Device(id=9, factory_id=2, device_key="M1", kind="CNC mill", last_seen=NOW),
            ]
        )
        session.flush()
        for device_id, factory_id, power in ((1, 1, 900.0), (2, 1, 500.0), (3, 1, 100.0), (4, 1, 1500.0), (9, 2, 7000.0)):
            session.add(DeviceParameter(factory_id=factory_id, device_id=device_id, parameter_key="power", display_name="Power", unit="W"))
            latest = NOW - timedelta(minutes=6) if device_id == 2 else NOW
            session.add(
                LatestValue(factory_id=factory_id, device_id=device_id, parameter_key="power", ts=latest, value=power, received_at=latest)
            )
        session.add(DeviceParameter(factory_id=1, device_id=1, parameter_key="alarm", is_kpi_selected=False))
        session.add_all(
            [Rule(id=1, factory_id=1, name="Spindle 100% hot", conditions={}), Rule(id=2, factory_id=2, name="Hot", conditions={})]
        )
        session.flush()
        session.add_all(
            [
                Alert(id=1, factory_id=1, rule_id=1, device_id=1, triggered_at=at(10), severity="medium", message="m"),
                Alert(
                    id=2,
                    factory_id=1,
                    rule_id=1,
                    device_id=1,
                    triggered_at=at(20),
                    severity="critical",
                    acknowledged_at=at(30),
                    acknowledged_by=7,
                ),
                Alert(id=3, factory_id=1, rule_id=1, device_id=3, triggered_at=at(40), severity="high"),
                Alert(id=4, factory_id=1, rule_id=1, device_id=3, triggered_at=at(50), severity="low", resolved_at=at(60), resolved_by=7),
                Alert(id=8, factory_id=2, rule_id=2, device_id=9, triggered_at=at(5), severity="critical"),
            ]
        )
    return database
