"""ISA-18.2's measures with the names of those that cause them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from tests.rules.installation import add_device, add_factory, add_rule
from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertRaise
from warehouse.queries.alarm_board import RAISES, Flood, alarm_board, by_hour, chattering, floods, frequent
from warehouse.tenancy import system_session

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
END = START + timedelta(hours=4)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def raises(*rows: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame([(rule, device, at(minutes)) for rule, device, minutes in rows], schema=RAISES, orient="row")


def test_a_flood_begins_with_more_than_ten_in_ten_minutes_and_ends_below_five() -> None:
    """A flood among slower alerts.

    minutes   0   10   20 ..     100 .. 105.5    108   112   116      200
    alerts    |    |    |        ||||||||||||     |     |     |        |
    flood                        ====================== ends: fewer than five in the ten minutes up to 116
    """
    slow = [at(minute) for minute in range(0, 60, 10)]
    fast = [at(100 + minute / 2) for minute in range(12)]
    tail = [at(108), at(112), at(116.1)]
    found = floods([*slow, *fast, *tail, at(200)])
    assert found == [Flood(at(100), at(112), 14)]
    assert floods(slow) == []
    assert floods(fast[:10]) == []


def test_a_flood_that_goes_on_lasts_to_its_last_alert() -> None:
    fast = [at(minute / 2) for minute in range(30)]
    assert floods(fast) == [Flood(at(0), at(14.5), 30)]


@pytest.mark.parametrize(("minutes", "chatters"), [((0, 4, 9.9), True), ((0, 4, 10), False), ((0, 1), False), ((0, 30, 31, 32), True)])
def test_chattering_is_three_within_ten_minutes(minutes: tuple[float, ...], chatters: bool) -> None:
    frame = raises(*((1, 1, minute) for minute in minutes), *((2, 1, minute * 20) for minute in range(5)))
    assert chattering(frame) == ([(1, 1)] if chatters else [])


def test_bad_actors_come_in_order_of_how_often_they_ask() -> None:
    frame = raises((1, 1, 0), (2, 1, 0), (2, 1, 5), (1, 2, 0), (2, 1, 9))
    assert frequent(frame) == [(2, 1, 3), (1, 1, 1), (1, 2, 1)]


def test_every_hour_of_the_period_is_there() -> None:
    assert by_hour([at(1), at(59), at(60), at(239)], START, END) == [(at(0), 2), (at(60), 1), (at(120), 0), (at(180), 1)]
    assert all(later - earlier == timedelta(hours=1) for (earlier, _), (later, _) in pairwise(by_hour([], START, at(300.5))))


def test_the_board_of_one_factory(database: Database) -> None:
    factory, other = add_factory(database), add_factory(database)
    machines = [add_device(database, factory, key) for key in ("M01", "M02")]
    foreign = add_device(database, other, "M09")
    rule, foreign_rule = add_rule(database, factory, name="Hot"), add_rule(database, other, name="Foreign")

    def alert(device: int, minutes: float, acknowledged: float | None = None, resolved: float | None = None, **more: object) -> Alert:
        mine = device in machines
        return Alert(
            factory_id=factory if mine else other, rule_id=rule if mine else foreign_rule, device_id=device, severity="high",
            triggered_at=at(minutes), acknowledged_at=None if acknowledged is None else at(acknowledged),
            resolved_at=None if resolved is None else at(resolved), **more,
        )  # fmt: skip

    with system_session(database, "test") as session:
        session.add_all([
            alert(machines[0], 10, 14, 30), alert(machines[1], 60, 68, 160), alert(machines[0], 70, None, 100),
            alert(machines[1], -40 * 60), alert(machines[1], 80, None, 90, is_silenced=True), alert(foreign, 10, 11, 12),
        ])  # fmt: skip
        for device, minutes in ((machines[0], 10), (machines[0], 12), (machines[0], 14), (machines[1], 60), (foreign, 10)):
            own = device in machines
            keys = {"factory_id": factory if own else other, "rule_id": rule if own else foreign_rule}
            session.add(AlertRaise(**keys, device_id=device, raised_at=at(minutes)))
    board = alarm_board(database, factory, START, END)
    assert (board.measures.total, board.silenced, board.measures.per_hour) == (3, 1, 0.75)
    assert (board.mean_acknowledge_min, board.mean_resolve_min) == (6.0, 50.0)
    assert [(one.rule_name, one.device_key, one.count, one.share) for one in board.bad_actors] == [
        ("Hot", "M01", 3, 0.75), ("Hot", "M02", 1, 0.25),
    ]  # fmt: skip
    assert [one.device_key for one in board.chattering] == ["M01"]
    assert [(one.device_key, one.count) for one in board.stale] == [("M02", 44)]
    assert (board.floods, board.flood_share) == ([], 0.0)
