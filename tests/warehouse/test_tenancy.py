"""A session of one factory sees and writes that factory only, whatever it tries."""

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from tests.warehouse.frames import START
from warehouse.db import Database
from warehouse.errors import TenancyError
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory
from warehouse.models.streams import ConsumerCursor, DeadLetter, LandingBatch
from warehouse.tenancy import system_session, tenant_session


@pytest.fixture
def two_factories(database: Database) -> Database:
    with system_session(database, "set up a test") as session:
        session.add_all([Factory(id=1, name="North", slug="north"), Factory(id=2, name="South", slug="south")])
        session.flush()
        session.add_all([Device(id=10, factory_id=1, device_key="M1"), Device(id=20, factory_id=2, device_key="M1")])
        session.add(DeadLetter(factory_id=2, reason="r", detail="", topic="t", payload=b"", payload_size=0, received_at=START))
    return database


def test_selects_return_rows_of_the_own_factory_only(two_factories: Database) -> None:
    with tenant_session(two_factories, 1) as session:
        assert [device.id for device in session.scalars(select(Device))] == [10]
        assert [factory.slug for factory in session.scalars(select(Factory))] == ["north"]
        assert session.scalar(select(func.count(Device.id))) == 1
        assert session.scalars(select(DeadLetter)).all() == []


def test_a_foreign_row_cannot_be_fetched_by_its_id(two_factories: Database) -> None:
    with tenant_session(two_factories, 1) as session:
        assert session.get(Device, 20) is None


def test_subqueries_and_joins_stay_inside_as_well(two_factories: Database) -> None:
    with tenant_session(two_factories, 1) as session:
        ids = select(Device.id).where(Device.device_key == "M1").scalar_subquery()
        assert session.scalars(select(Device.id).where(Device.id.in_(ids))).all() == [10]
        assert session.scalars(select(Device.id).join(Factory, Factory.id == Device.factory_id)).all() == [10]


def test_bulk_updates_and_deletes_touch_the_own_factory_only(two_factories: Database) -> None:
    with tenant_session(two_factories, 1) as session:
        session.execute(update(Device).values(name="mine"))
        session.execute(delete(Device))
    with system_session(two_factories, "look at the result") as session:
        assert [(device.id, device.name) for device in session.scalars(select(Device))] == [(20, None)]


def test_new_objects_get_the_factory_of_their_session(two_factories: Database) -> None:
    with tenant_session(two_factories, 2) as session:
        session.add(Device(id=21, device_key="M2"))
    with system_session(two_factories, "look at the result") as session:
        assert session.get_one(Device, 21).factory_id == 2


def _adds_a_foreign_object(session: Session) -> None:
    session.add(Device(factory_id=2, device_key="M9"))
    session.flush()


def _moves_a_row_to_another_factory(session: Session) -> None:
    session.get_one(Device, 10).factory_id = 2
    session.flush()


def _moves_rows_in_bulk(session: Session) -> None:
    session.execute(update(Device).values(factory_id=2))


def _runs_raw_sql(session: Session) -> None:
    session.execute(text("SELECT * FROM devices"))


def _selects_from_the_bare_table(session: Session) -> None:
    session.execute(select(Device.__table__))


def _inserts_in_bulk(session: Session) -> None:
    session.execute(insert(Device), [{"factory_id": 2, "device_key": "M9"}])


def _reads_the_landing_log(session: Session) -> None:
    session.scalars(select(LandingBatch)).all()


def _writes_a_cursor(session: Session) -> None:
    session.add(ConsumerCursor(name="evaluator"))
    session.flush()


def _makes_a_factory(session: Session) -> None:
    session.add(Factory(name="Mine", slug="mine"))
    session.flush()


@pytest.mark.parametrize(
    "attempt",
    [
        _adds_a_foreign_object,
        _moves_a_row_to_another_factory,
        _moves_rows_in_bulk,
        _runs_raw_sql,
        _selects_from_the_bare_table,
        _inserts_in_bulk,
        _reads_the_landing_log,
        _writes_a_cursor,
        _makes_a_factory,
    ],
)
def test_ways_out_of_the_factory_are_refused(two_factories: Database, attempt: object) -> None:
    with pytest.raises(TenancyError), tenant_session(two_factories, 1) as session:
        attempt(session)  # type: ignore[operator]


def test_a_session_of_nobody_is_refused(two_factories: Database) -> None:
    with pytest.raises(TenancyError), two_factories.sessions() as session:
        session.scalars(select(Device)).all()


def test_a_system_session_needs_a_reason(two_factories: Database) -> None:
    with pytest.raises(TenancyError), system_session(two_factories, ""):
        pass


def test_an_error_rolls_everything_back(two_factories: Database) -> None:
    with pytest.raises(RuntimeError), tenant_session(two_factories, 1, write=True) as session:
        session.add(DeviceParameter(device_id=10, parameter_key="power"))
        session.flush()
        raise RuntimeError
    with tenant_session(two_factories, 1) as session:
        assert session.scalars(select(DeviceParameter)).all() == []


def test_postgresql_holds_the_border_even_without_the_session_hooks(postgresql_database: Database) -> None:
    with system_session(postgresql_database, "set up a test") as session:
        session.add_all([Factory(id=1, name="North", slug="north"), Factory(id=2, name="South", slug="south")])
    with postgresql_database.engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM factories")).scalar() == 0
        connection.execute(text("SELECT set_config('factoryops.factory_id', '2', true)"))
        assert connection.execute(text("SELECT slug FROM factories")).scalars().all() == ["south"]
