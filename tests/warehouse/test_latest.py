"""Newest values and last signs of life move forward in time only; what is known of parameters is not overwritten."""

from datetime import datetime

import polars as pl
import pytest
from sqlalchemy import select

from tests.fixtures.people import Person
from tests.warehouse.frames import START, at, readings
from warehouse import latest
from warehouse.db import Database
from warehouse.models.base import utc_now
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.tenancy import system_session


@pytest.fixture
def device_id(database: Database, two_people: tuple[Person, Person]) -> int:
    """A device of the first factory, whose id is 1 in an empty database."""
    with system_session(database, "set up a test") as session:
        device = Device(factory_id=two_people[0].factory_id, device_key="M01")
        session.add(device)
        session.flush()
        return device.id


def put(database: Database, *rows: tuple[int, str, float, float], factory_id: int = 1) -> None:
    frame = readings(*rows, factory_id=factory_id)
    with system_session(database, "put newest values", write=True) as session:
        latest.move_forward(session, latest.newest(frame))


def values(database: Database) -> dict[str, tuple[datetime, float | None]]:
    with system_session(database, "read newest values") as session:
        return {row.parameter_key: (row.ts, row.value) for row in session.scalars(select(LatestValue))}


def test_newest_of_a_batch_is_kept(database: Database, device_id: int) -> None:
    put(database, (device_id, "power", 2, 20.0), (device_id, "power", 3, 30.0), (device_id, "power", 1, 10.0), (device_id, "speed", 1, 5.0))
    assert values(database) == {"power": (at(3), 30.0), "speed": (at(1), 5.0)}


def test_values_move_forward_in_device_time_only(database: Database, device_id: int) -> None:
    put(database, (device_id, "power", 10, 1.0))
    put(database, (device_id, "power", 9.999999, 2.0))
    assert values(database) == {"power": (at(10), 1.0)}
    put(database, (device_id, "power", 10.000001, 3.0))
    assert values(database) == {"power": (at(10.000001), 3.0)}


def test_of_two_values_of_the_same_moment_the_first_stays(database: Database, device_id: int) -> None:
    put(database, (device_id, "power", 1, 1.0), (device_id, "power", 1, 2.0))
    put(database, (device_id, "power", 1, 3.0))
    assert values(database) == {"power": (START.replace(second=1), 1.0)}


def test_text_takes_the_place_of_a_number(database: Database, device_id: int) -> None:
    put(database, (device_id, "state", 1, 1.0))
    frame = readings((device_id, "state", 2, 0.0)).with_columns(value=None, text=pl.lit("running"))
    with system_session(database, "put newest values", write=True) as session:
        latest.move_forward(session, frame)
    with system_session(database, "read newest values") as session:
        assert session.execute(select(LatestValue.value, LatestValue.text)).one() == (None, "running")


def test_many_values_at_once(database: Database, device_id: int) -> None:
    put(database, *((device_id, f"p{n}", n / 7, float(n)) for n in range(2_000)))
    assert values(database) == {f"p{n}": (at(n / 7), float(n)) for n in range(2_000)}


def test_last_sign_of_life_moves_forward_only_and_leaves_the_row_unchanged(database: Database, device_id: int) -> None:
    with system_session(database, "read a device") as session:
        changed = session.get_one(Device, device_id).updated_at
    for seen in (at(5), at(4.5), at(6.25)):
        with system_session(database, "touch", write=True) as session:
            latest.touch_devices(session, {device_id: seen})
    with system_session(database, "read a device") as session:
        device = session.get_one(Device, device_id)
        assert (device.last_seen, device.updated_at) == (at(6.25), changed)


def test_what_a_person_changed_on_a_parameter_stays(database: Database, device_id: int) -> None:
    row = {
        "factory_id": 1, "device_id": device_id, "parameter_key": "power", "display_name": "power", "data_type": "float",
        "is_kpi_selected": True, "discovered_at": utc_now(), "updated_at": utc_now(),
    }  # fmt: skip
    for display_name in ("Spindle power", "power"):
        with system_session(database, "add", write=True) as session:
            latest.add_parameters(session, [{**row, "display_name": display_name}])
    with system_session(database, "read parameters") as session:
        assert [p.display_name for p in session.scalars(select(DeviceParameter))] == ["Spindle power"]
