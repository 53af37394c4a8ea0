"""What is landed together is durable together, or not at all; and one message that cannot be stored does not hold up the others."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from ingest import dead_letters, reasons
from ingest.figures import IngestFigures
from ingest.flush import Incoming
from ingest.inbox import Inbox
from ingest.lander import Lander
from tests.helpers import wait_until
from tests.ingest.conftest import SLUG, add_devices
from tests.ingest.messages import M02, RECEIVED, RETENTION, incoming
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.streams import LandingBatch
from warehouse.tenancy import system_session


@pytest.fixture
def device_ids(database: Database) -> dict[str, int]:
    return add_devices(database, "M01", "M02")


@pytest.fixture
def lander(database: Database, device_ids: dict[str, int]) -> Lander:
    return Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION)


def landed(database: Database) -> list[landing.Batch]:
    with system_session(database, "read in a test") as session:
        return landing.read_after(session, 0)


def latest_of(database: Database, device_id: int) -> dict[str, float | str | None]:
    with system_session(database, "read in a test") as session:
        found = session.scalars(select(LatestValue).where(LatestValue.device_id == device_id))
        return {row.parameter_key: row.value if row.text is None else row.text for row in found}


def count(lander: Lander, name: str, **labels: str) -> float:
    return lander._figures.registry.get_sample_value(f"factoryops_ingest_{name}_total", labels) or 0.0


def test_everything_about_a_message_is_there_together(database: Database, lander: Lander, device_ids: dict[str, int]) -> None:
    lander.land([incoming({"metrics": {"power": 745.6, "state": "running", "gap": None}}), incoming(b"nonsense", M02)])
    (batch,) = landed(database)
    assert (batch.message_count, batch.readings.height) == (2, 2)
    assert latest_of(database, device_ids["M01"]) == {"power": 745.6, "state": "running"}
    assert dead_letters.counts(database) == {reasons.NULL_VALUE: 1, reasons.NOT_JSON: 1}
    with system_session(database, "read in a test") as session:
        assert session.get_one(Device, device_ids["M01"]).last_seen == RECEIVED
        found = session.execute(
            select(
                DeviceParameter.parameter_key, DeviceParameter.display_name, DeviceParameter.data_type, DeviceParameter.is_kpi_selected
            ).order_by(DeviceParameter.parameter_key)
        ).all()
    assert [tuple(row) for row in found] == [("power", "Power", "float", True), ("state", "State", "string", True)]


def test_nothing_is_there_when_the_transaction_fails(database: Database, lander: Lander, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(dead_letters, "record", broken)
    with pytest.raises(RuntimeError):
        lander.land([incoming({"metrics": {"power": 1}})])
    assert landed(database) == []
    assert lander.registry.parameters == {}
    monkeypatch.undo()
    lander.land([incoming({"metrics": {"power": 1}})])
    assert len(landed(database)) == 1
    with system_session(database, "read in a test") as session:
        assert session.scalar(select(func.count(DeviceParameter.id))) == 1


def test_only_dead_letters_make_no_batch(database: Database, lander: Lander) -> None:
    lander.land([incoming(b"nonsense")])
    assert landed(database) == []
    assert dead_letters.counts(database) == {reasons.NOT_JSON: 1}


def test_a_device_that_was_registered_a_moment_ago_is_known(database: Database, lander: Lander, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = f"factories/{SLUG}/devices/NEW/telemetry"
    lander.land([incoming({"metrics": {"a": 1}}, topic)])
    assert dead_letters.counts(database) == {reasons.UNKNOWN_DEVICE: 1}
    add_devices(database, "NEW")
    monkeypatch.setattr("ingest.registry.LOOK_FOR_UNKNOWN_EVERY_S", 0.0)
    lander.land([incoming({"metrics": {"a": 1}}, topic)])
    assert dead_letters.counts(database) == {reasons.UNKNOWN_DEVICE: 1}
    assert len(landed(database)) == 1


def test_unknown_topics_do_not_ask_the_database_each_time(lander: Lander, monkeypatch: pytest.MonkeyPatch) -> None:
    lander.registry.refresh()
    asked: list[int] = []
    monkeypatch.setattr(lander.registry, "refresh", lambda **_: asked.append(1))
    for _ in range(50):
        lander.registry.refresh_for(["factories/nowhere/devices/X/telemetry"])
    assert len(asked) <= 1


def test_a_device_that_was_deleted_a_moment_ago_becomes_a_dead_letter(
    database: Database, lander: Lander, device_ids: dict[str, int]
) -> None:
    lander.land([incoming({"metrics": {"a": 1}}), incoming({"metrics": {"a": 1}}, M02)])
    with system_session(database, "delete in a test", write=True) as session:
        session.execute(delete(Device).where(Device.id == device_ids["M01"]))
    lander.land([incoming({"metrics": {"a": 2}}), incoming({"metrics": {"a": 2}}, M02)])
    assert dead_letters.counts(database) == {reasons.UNKNOWN_DEVICE: 1}
    assert latest_of(database, device_ids["M02"]) == {"a": 1.0}
    assert landed(database)[-1].readings["device_id"].to_list() == [device_ids["M02"]]


def test_a_message_that_the_database_refuses_does_not_hold_up_the_others(
    database: Database, lander: Lander, device_ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such message is known; should one exist, it must not stop the plant."""
    real = landing.append

    def refusing(session: object, readings: object, message_count: int, landed_at: datetime, **facts: object) -> int:
        position = real(session, readings, message_count, landed_at, **facts)  # type: ignore[arg-type]
        if (readings["value"] == 13.0).any():  # type: ignore[index]
            session.add(LatestValue(factory_id=1, device_id=-1, parameter_key="x", ts=RECEIVED, received_at=RECEIVED))  # type: ignore[attr-defined]
            session.flush()  # type: ignore[attr-defined]
        return position

    monkeypatch.setattr("ingest.lander.landing.append", refusing)
    lander.land(
        [incoming({"timestamp": (RECEIVED + timedelta(milliseconds=n)).isoformat(), "metrics": {"a": n}}, mid=n) for n in range(32)]
    )
    assert sorted(value for batch in landed(database) for value in batch.readings["value"]) == [float(n) for n in range(32) if n != 13]
    assert dead_letters.counts(database) == {reasons.NOT_STORABLE: 1}
    assert latest_of(database, device_ids["M01"]) == {"a": 31.0}
    assert count(lander, "messages") == 32


def test_a_device_that_invents_names_is_stopped(database: Database, lander: Lander, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.discovery.MOST_PARAMETERS", 10)
    for start in (0, 6, 12):
        metrics = {f"p{n}": n for n in range(start, start + 6)}
        lander.land([incoming({"metrics": metrics}), incoming({"metrics": {"good": start}}, M02)])
    with system_session(database, "read in a test") as session:
        assert session.scalar(select(func.count(DeviceParameter.id))) == 11
    assert sum(batch.readings.height for batch in landed(database)) == 10 + 3
    assert dead_letters.counts(database) == {reasons.TOO_MANY_PARAMETERS: 2}


def test_a_flood_of_nonsense_is_counted_and_not_all_recorded(database: Database, lander: Lander) -> None:
    for _ in range(4):
        lander.land([incoming(b"nonsense")] * 500)
    assert count(lander, "dead_letters", reason=reasons.NOT_JSON) == 2_000
    assert 1_000 <= dead_letters.counts(database)[reasons.NOT_JSON] < 1_100
    assert count(lander, "dead_letters_unrecorded") > 900


def test_while_the_database_is_away_the_batch_is_kept_and_tried_again(sqlite_database: Database) -> None:
    add_devices(sqlite_database, "M01")
    lander = Lander(sqlite_database, IngestFigures(), ManualClock(RECEIVED), RETENTION)
    stop = threading.Event()
    lander.registry.refresh()
    with system_session(sqlite_database, "take the table away") as session:
        session.connection().exec_driver_sql("ALTER TABLE landing_batches RENAME TO away")
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(lander.land_patiently([incoming({"metrics": {"a": 1}})], stop)))
    thread.start()
    wait_until(lambda: lander.problem)
    assert not done
    with system_session(sqlite_database, "bring the table back") as session:
        session.connection().exec_driver_sql("ALTER TABLE away RENAME TO landing_batches")
    thread.join(10)
    assert done == [True]
    assert lander.problem == ""
    assert len(landed(sqlite_database)) == 1


def test_being_stopped_while_the_database_is_away_says_that_nothing_landed(sqlite_database: Database) -> None:
    lander = Lander(sqlite_database, IngestFigures(), ManualClock(RECEIVED), RETENTION)
    stop = threading.Event()
    with system_session(sqlite_database, "take the table away") as session:
        session.connection().exec_driver_sql("ALTER TABLE dead_letters RENAME TO away")
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(lander.land_patiently([incoming(b"x")], stop)))
    thread.start()
    wait_until(lambda: lander.problem)
    stop.set()
    thread.join(5)
    assert done == [False]


def test_messages_are_acknowledged_after_their_commit_only(database: Database, lander: Lander) -> None:
    inbox, stop, acknowledged = Inbox(), threading.Event(), []

    def acknowledge(messages: list[Incoming]) -> None:
        with system_session(database, "count in a test") as session:
            rows = session.scalar(select(func.sum(LandingBatch.row_count))) or 0
        acknowledged.append((len(messages), rows))
        if sum(number for number, _ in acknowledged) == 10:
            stop.set()

    for number in range(10):
        inbox.put(incoming({"metrics": {"a": number}}, mid=number + 1, received=RECEIVED + timedelta(seconds=number)))
    lander.run(inbox, acknowledge, stop, 0.0)  # type: ignore[arg-type]
    total = 0
    for number, rows in acknowledged:
        total += number
        assert rows >= total
