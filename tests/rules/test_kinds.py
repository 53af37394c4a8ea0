"""Every kind of condition over time: lists in, events out. Each number of a timeline is one minute of device time.

`R` is an alert or its repeat, `C` its end. Each kind also runs through MQTT (test_kinds_live.py) and over history (test_backtest.py).
"""

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import expect
from rules.engine import CLEARED, MINUTE_US, RAISED, SECOND_US, Cleared, Event, Raised, Withdrawn
from tests.rules.kinds import KINDS, Kind
from tests.rules.timelines import DEVICE, FACTORY, HOT, Plant, rule

Told = tuple[str, int, int]
DRY = {"parameter": "flow", "operator": "lt", "threshold": 75}
# Readings come every ten seconds, up to 110 s late.
TREES: list[dict[str, Any]] = [
    HOT,
    {"operator": "AND", "conditions": [HOT, DRY]},
    {**HOT, "for_minutes": 0.4},
    {"operator": "OR", "conditions": [HOT, DRY], "for_minutes": 0.3},
    {**HOT, "repeat": {"times": 2, "within_minutes": 1}},
    {"parameter": "temp", "aggregate": "mean", "window_minutes": 0.5, "operator": "gt", "threshold": 78},
    {"parameter": "temp", "aggregate": "rate", "window_minutes": 1, "operator": "gt", "threshold": 10},
    {"missing": "temp", "for_minutes": 0.5},
    {"missing": "*", "for_minutes": 0.4},
    {"operator": "AND", "conditions": [{"missing": "*", "for_minutes": 0.4}, HOT]},
    {"at_least": 2, "condition": HOT},
    {"at_least": 2, "condition": {**HOT, "for_minutes": 0.3}},
    {**HOT, "deadband": 5},
    {"when": HOT, "clear": {"parameter": "temp", "operator": "lt", "threshold": 75}, "off_delay_minutes": 0.3},
    {"operator": "NOT", "conditions": [HOT]},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_over_time(kind: Kind) -> None:
    plant = Plant(rule(kind.document, cooldown_min=kind.cooldown_min, devices=sorted(kind.devices)))
    events = [event for at, device, values in kind.messages() for event in plant.happened((at, values), device=device)]
    events += plant.silence_until(kind.ends_s)
    told = [
        ("R" if isinstance(event, Raised) else "C", event.at_us / SECOND_US / 60) for event in events if isinstance(event, Raised | Cleared)
    ]
    assert told == kind.expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(range(0, 120, 10)), st.sampled_from(["temp", "flow"]), st.integers(1, 2), st.sampled_from([70.0, 79.0, 85.0])
        ),
        max_size=14,
    ),
    st.randoms(use_true_random=False),
    st.sampled_from(range(len(TREES))),
    st.sampled_from([0.0, 0.5]),
)
@settings(deadline=None, max_examples=300)
def test_any_order_of_arrival_within_the_lateness_gives_what_the_right_order_gives(
    sent: list[tuple[int, str, int, float]], chance: Random, tree: int, cooldown_min: float
) -> None:
    """What was told and not withdrawn, whichever batches and order the readings came in."""
    once = list({(at, parameter, device): (at, parameter, device, value) for at, parameter, device, value in sent}.values())
    in_order, shuffled = (Plant(rule(TREES[tree], cooldown_min=cooldown_min, devices=(1, 2))) for _ in range(2))
    expected: set[Told] = set()
    for at in sorted({at for at, *_ in once}):
        # One moment is one batch: whoever sees half of a message's values cannot be right.
        readings = [(at, p, device, value) for moment, p, device, value in once if moment == at]
        keep(expected, in_order.readings(*readings))
    chance.shuffle(once)
    found: set[Told] = set()
    while once:
        batch, once = once[:2], once[2:]
        keep(found, shuffled.readings(*batch))
    keep(expected, in_order.silence_until(3000))
    keep(found, shuffled.silence_until(3000))
    assert found == expected


@pytest.mark.parametrize("name", ["missing parameter", "missing device"])
def test_live_values_that_are_ahead_of_the_log_hide_no_silence(name: str) -> None:
    """The evaluator begins to wait by the last live value, of minute 7, and reads the messages of minutes 0 to 7 after that."""
    kind = next(kind for kind in KINDS if kind.name == name)
    watched = rule(kind.document, cooldown_min=kind.cooldown_min)
    plant = Plant(watched)
    for parameter in watched.parameters:
        plant.memory.device(DEVICE).seed(parameter, 7 * MINUTE_US, None if parameter == "*" else 70.0)
    expect(plant.book, plant.memory, FACTORY, DEVICE, 7 * MINUTE_US)
    events = [event for at, device, values in kind.messages() for event in plant.happened((at, values), device=device)]
    events += plant.silence_until(kind.ends_s)
    assert [event.at_us / MINUTE_US for event in events if not isinstance(event, Withdrawn)] == [minute for _, minute in kind.expected]


def keep(told: set[Told], events: Iterable[Event]) -> None:
    """What stands after these events."""
    for event in events:
        if isinstance(event, Withdrawn):
            told.remove((event.kind, event.device_id, event.at_us))
        else:
            told.add((RAISED if isinstance(event, Raised) else CLEARED, event.device_id, event.at_us))
