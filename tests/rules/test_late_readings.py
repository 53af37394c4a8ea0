"""Readings that repeat, come late, or come from a wrong clock. Times are seconds of device time."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import Withdrawn
from rules.memory import MOST_READINGS_A_SERIES
from rules.schedule import moment_of
from tests.rules.timelines import DEVICE, FACTORY, HOT, Plant, rule
from warehouse.readings import READINGS, deduplicate, unknown

BOTH = {"operator": "AND", "conditions": [HOT, {"parameter": "flow", "operator": "lt", "threshold": 5}]}


def test_a_message_that_is_delivered_again_alerts_once() -> None:
    plant = Plant(rule(cooldown_min=0))
    message = [(10.0, {"temp": 85.0})]
    assert plant.alert_times(message, message, message) == [10]
    assert (plant.memory.counts.evaluated, plant.memory.counts.repeated) == (1, 2)


def test_of_two_values_for_one_moment_the_first_counts() -> None:
    plant = Plant(rule())
    assert plant.alert_times([(10, {"temp": 70})], [(10, {"temp": 85})]) == []


def test_a_batch_is_evaluated_in_device_time_whatever_its_order() -> None:
    plant = Plant(rule(cooldown_min=15))
    assert plant.alert_times([(20, {"temp": 86}), (10, {"temp": 85}), (0, {"temp": 70})]) == [10]


def test_a_late_reading_is_evaluated_as_of_its_own_time() -> None:
    """Although 60 is the newest value by then.

    arrival        1    2    3
    temp          70@0      85@5
    temp                60@9
    alert                   !5
    """
    plant = Plant(rule())
    assert plant.alert_times([(0, {"temp": 70})], [(9, {"temp": 60})], [(5, {"temp": 85})]) == [5]
    assert plant.memory.devices[DEVICE].current == {"temp": 60}


def test_a_late_value_completes_the_condition_of_a_later_moment() -> None:
    """flow 3@5 comes after temp 85@6: at 5 temp is unknown, at 6 both are known."""
    plant = Plant(rule(BOTH))
    assert plant.alert_times([(6, {"temp": 85})], [(5, {"flow": 3})]) == [6]


def test_a_late_value_does_not_see_what_came_after_it() -> None:
    plant = Plant(rule(BOTH))
    assert plant.alert_times([(0, {"flow": 8})], [(10, {"flow": 3})], [(5, {"temp": 85})]) == [10]


def test_a_late_reading_that_alerts_takes_back_the_later_alert_that_its_cooldown_forbids() -> None:
    """In order: hot at 10 alerts, hot at 50 is inside its cooldown."""
    plant = Plant(rule(cooldown_min=1))
    assert plant.alert_times([(50, {"temp": 85})]) == [50]
    assert plant.alert_times([(10, {"temp": 85})]) == [10]
    withdrawn = [event for event in plant.events if isinstance(event, Withdrawn)]
    assert [(event.kind, event.at_us, event.is_active) for event in withdrawn] == [("raised", 50_000_000, True)]


def test_an_alert_on_a_value_that_a_late_reading_corrects_is_withdrawn() -> None:
    """flow recovered at 5, which is known only after temp at 6 had seen the flow of 0."""
    plant = Plant(rule(BOTH))
    assert plant.alert_times([(0, {"flow": 3})], [(6, {"temp": 85})]) == [6]
    assert plant.alert_times([(5, {"flow": 8})]) == []
    assert [(event.at_us, event.is_active) for event in plant.events if isinstance(event, Withdrawn)] == [(6_000_000, False)]


def test_readings_more_than_two_minutes_late_are_counted_and_not_evaluated() -> None:
    plant = Plant(rule())
    assert plant.alert_times([(300, {"temp": 70})], [(179.9, {"temp": 85, "other": 1})], [(180, {"temp": 85})]) == [180]
    assert plant.memory.counts.too_late == 1


def test_a_device_that_was_offline_delivers_its_buffer_and_every_message_counts() -> None:
    """Late for the plant, in order for the device."""
    plant = Plant(rule())
    found = plant.arrive(*[(at, {"temp": 85.0}) for at in (0, 600, 1200)], received_s=90_000)
    assert [raised.at_us // 1_000_000 for raised in found] == [0, 600, 1200]


def test_a_reading_from_a_nonsensical_future_is_left_out() -> None:
    plant = Plant(rule())
    assert plant.arrive((2 * 86_400, {"temp": 85}), received_s=0) == []
    assert plant.memory.counts.from_future == 1
    assert plant.alert_times([(1, {"temp": 85})]) == [1]


def test_a_device_whose_clock_was_ahead_is_evaluated_again_once_it_is_corrected() -> None:
    plant = Plant(rule())
    assert len(plant.arrive((3600, {"temp": 85}), received_s=0)) == 1  # an hour ahead is believed
    assert len(plant.arrive((1, {"temp": 70}), received_s=1)) == 0
    assert len(plant.arrive((2, {"temp": 85}), received_s=2)) == 1
    assert plant.memory.counts.too_late == 0


def test_what_is_remembered_of_a_fast_series_is_bounded() -> None:
    plant = Plant(rule())
    plant.arrive(*[(i / 1000, {"temp": 70.0}) for i in range(3 * MOST_READINGS_A_SERIES)])
    assert len(plant.memory.devices[DEVICE].series["temp"].times) <= MOST_READINGS_A_SERIES + 64


def test_what_is_remembered_of_a_slow_series_is_its_last_value() -> None:
    plant = Plant(rule(BOTH))
    plant.arrive((0, {"flow": 3}))
    for minute in range(1, 500):
        plant.arrive((minute * 60, {"temp": 70}))
    assert plant.alert_times([(500 * 60, {"temp": 85})]) == [30_000]
    assert len(plant.memory.devices[DEVICE].series["temp"].times) < 70


def test_a_seeded_value_is_known_until_the_device_says_otherwise() -> None:
    plant = Plant(rule(BOTH))
    plant.memory.device(DEVICE).seed("flow", 5_000_000, 3.0)
    assert plant.alert_times([(6, {"temp": 85})], [(5, {"flow": 3})]) == [6]


def test_the_reading_that_a_seed_came_from_still_counts_when_it_arrives() -> None:
    plant = Plant(rule())
    plant.memory.device(DEVICE).seed("temp", 5_000_000, 85.0)
    assert plant.alert_times([(5, {"temp": 85})]) == [5]


messages = st.lists(
    st.tuples(st.integers(0, 110), st.sampled_from(["temp", "flow"]), st.integers(60, 100), st.integers(1, 3)), min_size=1, max_size=40
)


@given(messages)
@settings(deadline=None)
def test_the_same_readings_count_as_new_as_for_the_lake(sent: list[tuple[int, str, int, int]]) -> None:
    """Within the allowed lateness the evaluator accepts exactly what `warehouse.readings.deduplicate` calls fresh."""
    plant, state, accepted = Plant(rule({**BOTH, "operator": "OR"}, devices=None)), unknown(), []
    for at, parameter, value, device in sent:
        when = moment_of(at * 1_000_000)
        frame = pl.DataFrame([(FACTORY, device, parameter, when, float(value), None, when)], schema=READINGS, orient="row")
        found = deduplicate(state, frame)
        state = found.state
        before = plant.memory.counts.evaluated
        plant.arrive((at, {parameter: value}), device=device)
        accepted.append((found.fresh.height, plant.memory.counts.evaluated - before))
    assert all(lake == rules for lake, rules in accepted)
