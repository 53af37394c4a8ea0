"""Named shifts of a factory: what is refused, which one runs, who goes by them, and the trace of a change. On SQLite and PostgreSQL.

Berlin     22:00 night                06:00 early      14:00 late       22:00
           |--------------------------|----------------|----------------|
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from rules.store import RuleStore
from tests.rules.installation import START, add_device, add_factory, add_rule, add_user
from warehouse.access.audit import Actor
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.people import AuditEvent
from warehouse.shifts import (
    DEFAULT_SHIFTS,
    FactoryClock,
    Shift,
    parse_shifts,
    running_shifts,
    set_shifts,
    shifts_json,
    shifts_named,
    shifts_of,
)
from warehouse.tenancy import system_session, tenant_session

DAY, NIGHT = Shift("day", time(7, 30), time(19, 30)), Shift("night", time(19, 30), time(7, 30))


def part(name: Any, start: Any, end: Any) -> dict[str, Any]:
    return {"name": name, "start_time": start, "end_time": end}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], r"\$\.shifts must be a list of 1 to 12"),
        ({"early": 6}, r"\$\.shifts must be a list"),
        (["early"], r"\$\.shifts\[0\] must have name, start_time, end_time"),
        ([{"name": "early", "start_time": "06:00"}], r"\$\.shifts\[0\] must have"),
        ([part(" ", "06:00", "14:00")], r"\$\.shifts\[0\]\.name"),
        ([part("x" * 51, "06:00", "14:00")], r"\$\.shifts\[0\]\.name"),
        ([part("early", "6:00", "14:00")], r"\$\.shifts\[0\]\.start_time '6:00' is no time of day"),
        ([part("early", "06:00", "25:00")], r"\$\.shifts\[0\]\.end_time '25:00'"),
        ([part("early", "06:00", 14)], r"\$\.shifts\[0\]\.end_time 14"),
        ([part("early", "06:10", "14:00")], "on the quarter of an hour"),
        ([part("early", "06:00", "06:00")], "shorter than a day"),
        ([part("a", "06:00", "14:00"), part("a", "14:00", "22:00")], "two shifts 'a'"),
        ([part("a", "06:00", "14:15"), part("b", "14:00", "22:00")], "'a' goes on when 'b' begins"),
        ([part("a", "06:00", "14:00"), part("b", "06:00", "08:00")], "'a' goes on when 'b' begins"),
        ([part("a", "06:00", "14:00"), part("night", "22:00", "06:15")], "'night' goes on when 'a' begins"),
    ],
)  # fmt: skip
def test_what_is_refused(found: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_shifts(found)


def test_what_is_read_is_written_back_in_order_of_the_day() -> None:
    found = parse_shifts([part("late", "14:00", "24:00"), part("early", "06:00", "14:00")])
    assert shifts_json(found) == [part("early", "06:00", "14:00"), part("late", "14:00", "00:00")]
    assert parse_shifts(shifts_json(DEFAULT_SHIFTS)) == DEFAULT_SHIFTS
    assert parse_shifts([part("all but an hour", "07:00", "06:00")])[0].minutes == 23 * 60


@pytest.mark.parametrize(
    ("at", "name", "began", "before"),
    [
        ("2026-01-05T06:00", "early", "2026-01-05T06:00", "night"),
        ("2026-01-05T21:59", "late", "2026-01-05T14:00", "early"),
        ("2026-01-06T05:59", "night", "2026-01-05T22:00", "late"),
        ("2026-10-25T05:59", "night", "2026-10-24T22:00", "late"),  # the clock goes back at 3: this night lasts nine hours
    ],
)
def test_the_running_shift_and_the_one_before(at: str, name: str, began: str, before: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    running, last = running_shifts(datetime.fromisoformat(at).replace(tzinfo=berlin), FactoryClock("Europe/Berlin"))
    assert running is not None
    assert (running.shift.name, running.began_at) == (name, datetime.fromisoformat(began).replace(tzinfo=berlin).astimezone(UTC))
    assert last.shift.name == before
    assert running.ends_at - running.began_at == timedelta(hours=9 if at.startswith("2026-10-25") else 8)


def test_between_shifts_none_runs() -> None:
    running, last = running_shifts(datetime(2026, 1, 5, 3, tzinfo=UTC), FactoryClock("UTC", (DAY,)))
    assert running is None
    assert last.ends_at == datetime(2026, 1, 4, 19, 30, tzinfo=UTC)


def test_names_in_a_schedule_are_found_at_any_depth() -> None:
    assert shifts_named({"windows": [{"shift": "a", "days": [1]}, {"start_time": "06:00"}], "x": {"shift": "b"}}) == {"a", "b"}
    assert shifts_named(None) == set()


def test_a_factory_has_its_own_shifts_and_a_change_leaves_a_trace(database: Database, manual_clock: ManualClock) -> None:
    mine, other = add_factory(database), add_factory(database)
    actor = Actor(mine, add_user(database, mine, "boss@x.example"))
    assert shifts_of(database, mine) == DEFAULT_SHIFTS
    assert set_shifts(database, manual_clock, actor, [NIGHT, DAY]) == (DAY, NIGHT)
    set_shifts(database, manual_clock, actor, [DAY, NIGHT])
    assert (shifts_of(database, mine), shifts_of(database, other)) == ((DAY, NIGHT), DEFAULT_SHIFTS)
    with tenant_session(database, mine) as session:
        [event] = session.scalars(select(AuditEvent).where(AuditEvent.action == "factory.change"))
    assert (event.user_id, event.before, event.after) == (
        actor.user_id, {"shifts": shifts_json(DEFAULT_SHIFTS)}, {"shifts": shifts_json([DAY, NIGHT])},
    )  # fmt: skip
    set_shifts(database, manual_clock, actor, None)
    assert shifts_of(database, mine) == DEFAULT_SHIFTS


def test_a_rule_follows_the_shift_that_it_names_and_keeps_it_alive(database: Database, manual_clock: ManualClock) -> None:
    factory = add_factory(database)
    named = add_rule(
        database, factory, devices=[add_device(database, factory)], schedule_type="time_window", schedule_config={"shift": "night"}
    )
    actor, store = Actor(factory), RuleStore()

    def is_open_at(clock: time) -> bool:
        with system_session(database, "test") as session:
            store.refresh(session, START)
        at_us = int(datetime.combine(START.date(), clock, UTC).timestamp() * 1e6)
        return store.book.by_id[named].schedule.is_open(at_us)

    assert (is_open_at(time(20)), is_open_at(time(23))) == (False, True)
    before = store.book.by_id[named].fingerprint
    manual_clock.advance(timedelta(days=3650))  # later than the rows of this test, which real time stamped
    set_shifts(database, manual_clock, actor, [DAY, NIGHT])
    assert (is_open_at(time(20)), is_open_at(time(7))) == (True, True)
    assert store.book.by_id[named].fingerprint != before, "its state is begun anew"
    with pytest.raises(InvalidInputError, match="goes by the shift 'night'"):
        set_shifts(database, manual_clock, actor, [DAY])
