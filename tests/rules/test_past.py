"""What a backtest reads of the lake: each machine's own readings, texts when there are some, and of silence only its edges."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from rules import past
from rules.past import HistoryOf
from rules.schedule import microseconds
from rules.trial import try_rule
from tests.rules.installation import START, add_device, add_factory, add_rule
from tests.rules.timelines import rule
from tests.warehouse.frames import series
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.readings import READINGS

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FLOWS = {"parameter": "flow", "operator": "gt", "threshold": 1}
HOT = {"parameter": "temp", "operator": "gt", "threshold": 1}


def histories(lake: Lake, document: dict[str, Any], device_ids: tuple[int, ...] = (1, 2, 3)) -> dict[int, list[tuple[Any, ...]]]:
    """By machine: minute, parameter, value, and text when texts were read."""
    readings_of = HistoryOf(lake.reader(1), rule(document, devices=device_ids), device_ids, START, START + HOUR)
    found = {}
    for device_id in device_ids:
        frame = readings_of(device_id).with_columns(pl.col("at") // 60_000_000 - microseconds(START) // 60_000_000)
        found[device_id] = sorted(frame.select("at", "parameter", "value", *(["text"] if "text" in frame.columns else [])).rows())
    return found


@pytest.mark.parametrize("rows_at_once", [1, 1000])
def test_each_machine_is_given_its_own_readings_of_the_rules_parameters(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(past, "ROWS_AT_ONCE", rows_at_once)
    for device_id in (1, 3):
        for parameter in ("temp", "flow", "load"):
            lake.append(series(device_id, parameter, [10.0 * device_id, 0.5]))
    assert histories(lake, HOT) == {1: [(0, "temp", 10.0), (1, "temp", 0.5)], 2: [], 3: [(0, "temp", 30.0), (1, "temp", 0.5)]}
    both = histories(lake, {"operator": "OR", "conditions": [HOT, FLOWS]})
    assert both[1] == [(0, "flow", 10.0), (0, "temp", 10.0), (1, "flow", 0.5), (1, "temp", 0.5)]
    assert (both[2], len(both[3])) == ([], 4)


def test_a_text_among_numbers_is_read_as_one(lake: Lake) -> None:
    lake.append(series(1, "temp", [85.0]))
    at = START + MINUTE
    said = {"factory_id": 1, "device_id": 1, "parameter": "temp", "ts": at, "value": None, "text": "ERR", "received_at": at}
    lake.append(pl.DataFrame([said], schema=READINGS))
    assert histories(lake, HOT, (1,)) == {1: [(0, "temp", 85.0, None), (1, "temp", None, "ERR")]}


def test_a_machines_silences_are_found_to_the_second(sqlite_database: Database, lake: Lake) -> None:
    """Every 7 s of two parameters, but nothing from 700 s to 1,000 s, and for 119 s once, which is not long enough."""
    factory = add_factory(sqlite_database)
    device = add_device(sqlite_database, factory)
    for parameter in ("temp", "flow"):
        for first_s, last_s in ((0, 700), (1000, 1700), (1819, 3500)):
            lake.append(series(device, parameter, [1.0] * ((last_s - first_s) // 7 + 1), step_s=7, start_s=first_s, factory_id=factory))
    silent = add_rule(sqlite_database, factory, {"missing": "*", "for_minutes": 2}, devices=[device], cooldown_minutes=0)
    found = try_rule(sqlite_database, lake, factory, silent, START, START + HOUR).found
    second = timedelta(seconds=1)
    assert [(one.start, one.end) for one in found.episodes] == [(START + 820 * second, START + 1000 * second)]
    assert found.readings < 200, "the edges of pieces only"
