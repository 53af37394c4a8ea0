"""What is noticed of machines is told once a minute, adds up, and stays inside the factory."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from ingest.directory import Place
from ingest.figures import IngestFigures
from ingest.lander import Lander
from ingest.notes import WRITE_EVERY_S, Notes
from tests.ingest.conftest import add_devices
from tests.ingest.messages import M02, RECEIVED, RETENTION, incoming
from tests.ingest.test_lander import landed
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.device_notes import NoteRow, forget_notes, notes_of
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.observations import MIXED_TYPES, NAIVE_TIME
from warehouse.tenancy import system_session

NAIVE = {"timestamp": "2026-01-05T07:59:00", "metrics": {"power": 1}}


@pytest.fixture
def ids(database: Database) -> dict[str, int]:
    return add_devices(database, "M01", "M02")


@pytest.fixture
def lander(database: Database, ids: dict[str, int]) -> Lander:
    return Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION)


def told(database: Database, lander: Lander) -> list[NoteRow]:
    """The notes after one more message, which takes them along."""
    lander.land([incoming({"metrics": {"other": 1}}, M02)])
    return notes_of(database, 1)


def test_a_time_without_a_zone_is_taken_as_utc_and_marked(database: Database, lander: Lander) -> None:
    with_text = {**NAIVE, "metrics": {"power": 2, "state": "on"}}
    lander.land([incoming(NAIVE), incoming(with_text), incoming({**NAIVE, "timestamp": "2026-01-05T07:59:01Z"})])
    assert set(landed(database)[0].readings["ts"].head(2)) == {RECEIVED - timedelta(minutes=1)}
    (note,) = told(database, lander)
    assert (note.device_key, note.kind, note.count, note.first_at) == ("M01", NAIVE_TIME, 2, RECEIVED)


def test_a_parameter_that_changes_its_type_is_kept_and_said(database: Database, lander: Lander) -> None:
    for value in (20, 20.5, "ERR", 21.5):
        lander.land([incoming({"metrics": {"spindle_temp": value}})])
    assert [row for batch in landed(database) for row in batch.readings.select("value", "text").rows()] == [
        (20.0, None), (20.5, None), (None, "ERR"), (21.5, None),
    ]  # fmt: skip
    with system_session(database, "read in a test") as session:
        assert session.scalars(select(DeviceParameter.data_type)).all() == ["float"]
    (note,) = told(database, lander)
    assert (note.kind, note.parameter_key, note.detail) == (MIXED_TYPES, "spindle_temp", "was a number (float) and came as the text 'ERR'")


def test_a_text_that_becomes_a_number_is_a_number_from_then_on(database: Database, lander: Lander) -> None:
    for value in ("unknown", 7.25):
        lander.land([incoming({"metrics": {"level": value}})])
    with system_session(database, "read in a test") as session:
        assert session.scalars(select(DeviceParameter.data_type)).all() == ["float"]
    assert [note.detail for note in told(database, lander)] == ["was a text and came as the number 7.25"]


def test_what_a_person_changed_stays(database: Database, lander: Lander) -> None:
    lander.land([incoming({"metrics": {"spindle_temp": 20.5}})])
    with system_session(database, "change in a test", write=True) as session:
        session.scalars(select(DeviceParameter)).one().display_name = "Nose temperature"
    again = Lander(database, IngestFigures(), ManualClock(RECEIVED), RETENTION)
    again.land([incoming({"metrics": {"spindle_temp": 21.5}})])
    with system_session(database, "read in a test") as session:
        assert session.scalars(select(DeviceParameter.display_name)).all() == ["Nose temperature"]


def test_the_first_case_is_written_at_once_and_the_others_once_a_minute(database: Database, ids: dict[str, int]) -> None:
    now_s = 0.0
    notes = Notes(lambda: now_s)
    counts = []
    for second in range(int(WRITE_EVERY_S) + 2):
        now_s = float(second)
        notes.notice(Place(1, ids["M01"]), NAIVE_TIME, f"at {second}", RECEIVED + timedelta(seconds=second))
        with system_session(database, "write in a test", write=True) as session:
            due = notes.write(session)
        notes.written(due)
        counts.append(notes_of(database, 1)[0].count)
    assert counts == [1] * 60 + [61, 61]
    (note,) = notes_of(database, 1)
    assert (note.detail, note.last_at - note.first_at) == ("at 60", timedelta(seconds=60))


def test_a_machine_that_was_deleted_meanwhile_stops_nothing(database: Database, lander: Lander, ids: dict[str, int]) -> None:
    lander.land([incoming(NAIVE)])
    with system_session(database, "delete in a test", write=True) as session:
        session.execute(delete(Device).where(Device.id == ids["M01"]))
    assert told(database, lander) == []
    assert landed(database)[-1].readings["parameter"].to_list() == ["other"]


def test_notes_of_one_factory_are_not_seen_from_another(database: Database, lander: Lander, ids: dict[str, int]) -> None:
    add_devices(database, "X", slug="other")
    lander.land([incoming(NAIVE)])
    told(database, lander)
    assert notes_of(database, 2) == []
    assert forget_notes(database, 2, ids["M01"]) == 0
    assert forget_notes(database, 1, ids["M01"]) == 1
    assert notes_of(database, 1) == []
