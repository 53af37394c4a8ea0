"""Rules over time: lists in, alerts out. Each number of a timeline is one minute of device time."""

from datetime import UTC, time
from zoneinfo import ZoneInfo

import pytest

from rules.book import RuleBook
from rules.engine import MINUTE_US, QUIET, Moment, RuleState, step
from rules.parse_schedules import parse_schedule
from rules.schedule import TimeWindow
from tests.rules.timelines import DEVICE, FACTORY, HOT, Plant, Values, rule, timeline

MIN = 60.0


@pytest.mark.parametrize(
    ("cooldown_min", "temperatures", "alert_minutes"),
    [
        #    0  1  2  3  4  5  6  7  8
        (15, "70 70 79 80 80 70 70 70 70", []),  # the threshold itself does not exceed it
        (15, "70 85 70 70 70 70 70 70 70", [1]),
        (15, "70 85 86 87 88 89 90 91 92", [1]),  # still true: quiet for the cooldown
        (4, "70 85 86 70 85 86 86 86 86", [1, 5]),  # still true after the cooldown: again
        (4, "85 70 70 70 85 70 70 70 85", [0, 4, 8]),  # exactly the cooldown later is not inside it
        (4, "85 - - 85 - - - - 85", [0, 8]),  # minute 3 is quiet and does not prolong the cooldown
        (0, "70 85 86 70 85 - 86 70 70", [1, 2, 4, 6]),  # without a cooldown every message that meets the condition alerts
    ],
)
def test_when_a_rule_alerts_again(cooldown_min: float, temperatures: str, alert_minutes: list[float]) -> None:
    found = Plant(rule(cooldown_min=cooldown_min)).alert_times(*timeline("temp", temperatures))
    assert [at / MIN for at in found] == alert_minutes


def test_step_is_pure_and_gives_the_next_state() -> None:
    hot, moment = rule(cooldown_min=5), Moment(DEVICE, 7 * MINUTE_US, {"temp": 85.0, "flow": 3.0})
    state, raised = step(hot, QUIET, moment)
    assert (QUIET.triggers, state.triggers) == ((), (7 * MINUTE_US,))
    assert [(r.rule.rule_id, r.device_id, r.at_us, r.values) for r in raised] == [(10, DEVICE, 7 * MINUTE_US, {"temp": 85.0})]
    assert step(hot, state, Moment(DEVICE, 8 * MINUTE_US, {"temp": 99.0})) == (state, ())


def test_the_cooldown_of_an_earlier_run_counts() -> None:
    state = RuleState((0,))
    assert step(rule(cooldown_min=5), state, Moment(DEVICE, 4 * MINUTE_US, {"temp": 85.0}))[1] == ()
    assert len(step(rule(cooldown_min=5), state, Moment(DEVICE, 5 * MINUTE_US, {"temp": 85.0}))[1]) == 1


BOTH = {"operator": "AND", "conditions": [HOT, {"parameter": "flow", "operator": "lt", "threshold": 5}]}


def test_two_parameters_in_different_messages() -> None:
    """Values hold until newer ones come.

    temp   85 ........ 86
    flow       3
    alert      !            flow completes the condition; temp 86 is inside the cooldown
    """
    plant = Plant(rule(BOTH, cooldown_min=15))
    assert plant.alert_times([(0, {"temp": 85})], [(10, {"flow": 3})], [(20, {"temp": 86})]) == [10]


def test_a_parameter_that_never_arrived_raises_nothing_even_when_the_rest_is_true() -> None:
    assert Plant(rule(BOTH)).alert_times([(0, {"temp": 85})], [(1, {"temp": 86})]) == []


def test_an_or_is_true_while_its_other_half_is_unknown() -> None:
    either = {**BOTH, "operator": "OR"}
    assert Plant(rule(either)).alert_times([(0, {"temp": 85})]) == [0]


def test_values_of_one_message_are_seen_together() -> None:
    """temp rises in the same message in which flow recovers: the old flow must not count any more."""
    plant = Plant(rule(BOTH))
    assert plant.alert_times([(0, {"temp": 70, "flow": 3})], [(1, {"temp": 85, "flow": 8})]) == []


def test_a_text_makes_a_parameter_unknown() -> None:
    plant = Plant(rule(BOTH))
    assert plant.alert_times([(0, {"flow": 3})], [(1, {"flow": None})], [(2, {"temp": 85})]) == []


def test_a_reading_of_another_parameter_does_not_touch_the_rule() -> None:
    plant = Plant(rule())
    assert plant.alert_times([(0, {"temp": 85})], [(1, {"speed": 1})], [(2, {"speed": 2})]) == [0]
    assert list(plant.memory.devices[DEVICE].series) == ["temp"]


def test_devices_have_cooldowns_of_their_own() -> None:
    plant = Plant(rule(cooldown_min=15, devices=None))
    assert [len(plant.arrive((0, {"temp": 85}), device=device)) for device in (1, 2, 1)] == [1, 1, 0]


def test_a_rule_of_scope_device_watches_only_its_devices_and_a_global_one_its_whole_factory() -> None:
    book = RuleBook([rule(rule_id=1, devices=(5,)), rule(rule_id=2, devices=None)])
    assert [r.rule_id for r in book.rules_for(FACTORY, 5, ("temp",))] == [1, 2]
    assert [r.rule_id for r in book.rules_for(FACTORY, 6, ("temp",))] == [2]
    assert book.rules_for(FACTORY + 1, 6, ("temp",)) == ()


def test_a_rule_that_names_a_device_of_another_factory_never_sees_it() -> None:
    book = RuleBook([rule(rule_id=1, devices=(5,))])
    assert book.rules_for(FACTORY + 1, 5, ("temp",)) == ()


def test_a_rule_alerts_only_inside_its_schedule() -> None:
    """00:00 UTC is 09:00 in Tokyo; open from 10:00 to 11:00 there."""
    window = TimeWindow(time(10), time(11), frozenset(range(1, 8)), ZoneInfo("Asia/Tokyo"))
    plant = Plant(rule(schedule=window))
    assert plant.alert_times(*timeline("temp", "85 85 85 85 85 85", every_s=30 * MIN)) == [3600, 5400]


def test_a_condition_that_became_true_outside_the_schedule_alerts_when_it_opens_and_still_holds() -> None:
    window = TimeWindow(time(1), time(2), frozenset(range(1, 8)), ZoneInfo("UTC"))
    plant = Plant(rule(schedule=window, cooldown_min=15))
    assert plant.alert_times(*timeline("temp", "85 85 85", every_s=30 * MIN)) == [3600]


def test_the_specifications_example_for_more_than_five_minutes_during_the_day_shift() -> None:
    """temperature > 80 AND vibration > 5 for 5 minutes, in the shift `day` from 06:00 (minute 360) to 18:00 (minute 1080).

    minute    350       360         700 703       800   805      1077 1080   1085
    both      |==========|==|       |===|         |=====|==|     |=====|======|
    alert                !                              !             told when the shift begins; at 1082 it is over
    """
    both = {"operator": "AND", "for_minutes": 5, "conditions": [HOT, {"parameter": "vibration", "operator": "gt", "threshold": 5}]}
    day = parse_schedule("time_window", {"shift": "day"}, UTC, shifts={"day": (time(6), time(18))})
    plant = Plant(rule(both, cooldown_min=60, schedule=day))
    true = {*range(350, 363), *range(700, 704), *range(800, 808), *range(1077, 1086)}
    batches: list[list[tuple[float, Values]]] = [
        [(minute * 60.0, {"temp": 85.0, "vibration": 6.0 if minute in true else 1.0})] for minute in range(340, 1100)
    ]
    assert [at / 60 for at in plant.alert_times(*batches)] == [360, 805]
