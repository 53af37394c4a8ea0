"""Figures of the installation itself, and what is usual for a machine."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from tests.warehouse.frames import at
from warehouse import landing
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.streams import ConsumerCursor
from warehouse.queries.ranges import usual_ranges
from warehouse.queries.system import loader_backlog, system_figures
from warehouse.readings import READINGS, empty_readings
from warehouse.tenancy import system_session

NOW: datetime = at(3600)


def land(database: Database, moment: datetime) -> int:
    with system_session(database, "set up a test", write=True) as session:
        return landing.append(session, empty_readings(), 1, moment)


def test_an_empty_installation_has_nothing_waiting(database: Database) -> None:
    found = system_figures(database, NOW)
    assert (found.newest_message_age_s, found.head, found.consumers, found.notifications_pending) == (None, 0, {}, 0)


def test_what_a_consumer_has_not_passed_waits(database: Database) -> None:
    first = land(database, NOW - timedelta(seconds=50))
    land(database, NOW - timedelta(seconds=20))
    land(database, NOW - timedelta(seconds=10))
    with system_session(database, "set up a test") as session:
        session.add(ConsumerCursor(name="evaluator", position=first, updated_at=NOW))
    found = system_figures(database, NOW)
    assert found.newest_message_age_s == 10
    assert (found.consumers["evaluator"].waiting_batches, found.consumers["evaluator"].waiting_s) == (2, 20)


def test_active_alerts_and_counts_are_sums_over_factories(plant: Database) -> None:
    assert system_figures(plant, NOW).active_alerts == 4


def test_the_loader_is_behind_by_what_landed_after_its_position(one_database: Database, lake: Lake) -> None:
    position = land(one_database, NOW - timedelta(seconds=9))
    land(one_database, NOW - timedelta(seconds=5))
    assert loader_backlog(one_database, lake, "main", NOW).waiting_batches == 2
    lake.append(empty_readings(), loader=("main", position))
    found = loader_backlog(one_database, lake, "main", NOW)
    assert (found.waiting_batches, found.waiting_s) == (1, 5)


def test_usual_is_where_nine_of_ten_readings_lie(lake: Lake) -> None:
    rows = [(1, 7, "temp", at(i), float(i), None, at(i)) for i in range(101)] + [(2, 7, "temp", at(i), 9e9, None, at(i)) for i in range(9)]
    lake.append(pl.DataFrame(rows, schema=READINGS, orient="row"))
    found = usual_ranges(lake, 1, 7, at(0), at(1000))["temp"]
    assert (found.least, found.greatest) == (0, 100)
    assert found.low == pytest.approx(5, abs=2)
    assert found.high == pytest.approx(95, abs=2)
    assert usual_ranges(lake, 3, 7, at(0), at(1000)) == {}
