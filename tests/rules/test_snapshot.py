"""What an evaluator remembers, written and read back."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.memory import Memory
from rules.snapshot import pack, unpack
from tests.rules.timelines import HOT, Plant, rule

EITHER = {"operator": "OR", "conditions": [HOT, {"parameter": "flow", "operator": "lt", "threshold": 5}]}
rows = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["temp", "flow"]), st.none() | st.integers(60, 100), st.integers(1, 3)), max_size=60
)


def fed(sent: list[tuple[int, str, int | None, int]]) -> Plant:
    plant = Plant(rule(EITHER, devices=None))
    for at, parameter, value, device in sent:
        plant.arrive((at, {parameter: value}), device=device)
    return plant


@given(rows, rows)
@settings(deadline=None)
def test_an_evaluator_goes_on_from_a_snapshot_as_if_it_had_never_stopped(
    before: list[tuple[int, str, int | None, int]], after: list[tuple[int, str, int | None, int]]
) -> None:
    going_on, restarted = fed(before), fed(before)
    position, restarted.memory, _ = unpack(pack(restarted.memory, 17))
    for at, parameter, value, device in after:
        found = [[raised.at_us for raised in plant.arrive((at, {parameter: value}), device=device)] for plant in (going_on, restarted)]
        assert found[0] == found[1]
    assert position == 17
    assert restarted.memory.counts == going_on.memory.counts


def test_nothing_remembered_is_a_snapshot_too() -> None:
    assert unpack(pack(Memory(), 0)) == (0, Memory(), {})


def test_a_snapshot_is_bounded_and_keeps_the_newest_of_each_series() -> None:
    plant = fed([(at, parameter, 70, device) for at in range(100) for parameter in ("temp", "flow") for device in (1, 2)])
    _, memory, _ = unpack(pack(plant.memory, 1, most_readings=40))
    series = [series for device in memory.devices.values() for series in device.series.values()]
    assert [len(found.times) for found in series] == [10] * 4
    assert {found.times[-1] for found in series} == {99_000_000}
    assert {found.complete_from for found in series} == {89_000_001}


def test_a_snapshot_is_small() -> None:
    """50 devices with 4 watched parameters each, a reading a second: 24,000 readings."""
    plant = Plant(rule(EITHER, devices=None))
    for at in range(300):
        for device in range(50):
            plant.arrive((at, {"temp": 70 + at % 7, "flow": 8 + device / 10}), device=device)
    assert len(pack(plant.memory, 1)) < 200_000


@pytest.mark.parametrize("state", [b"", b"\x80", b"rubbish"])
def test_what_is_no_snapshot_is_refused(state: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        unpack(state)
