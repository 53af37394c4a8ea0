"""When a draining tick ends, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.phases import PERIOD_S, SHORTEST_S, tick_end

MINUTE = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now_s", "phase_s", "end_s"),
    [
        (0.0, 0, 20.0),  # on its own end: the next one
        (0.1, 0, 20.0),
        (5.0, 0, 20.0),
        (18.9, 0, 20.0),
        (19.0, 0, 20.0),
        (19.1, 0, 40.0),  # a tick of 0.9 s would fall into its own gap
        (0.0, 10, 10.0),
        (9.5, 10, 30.0),
        (10.0, 10, 30.0),
        (14.9, 10, 30.0),
        (29.0, 10, 30.0),
        (45.0, 0, 60.0),
        (45.0, 10, 50.0),
    ],
)
def test_a_tick_ends_at_its_own_phase(now_s: float, phase_s: float, end_s: float) -> None:
    assert tick_end(MINUTE + timedelta(seconds=now_s), phase_s) == MINUTE + timedelta(seconds=end_s)


@pytest.mark.parametrize("phase_s", [0.0, 10.0])
def test_a_tick_lasts_between_1_and_21_seconds(phase_s: float) -> None:
    for tenths in range(600):
        now = MINUTE + timedelta(seconds=tenths / 10)
        assert SHORTEST_S <= (tick_end(now, phase_s) - now).total_seconds() <= PERIOD_S + SHORTEST_S


def test_the_gaps_of_two_sensors_never_coincide() -> None:
    """Each sensor is away for up to 5 s after its end, whenever the daemon's loop turns."""
    away = {
        phase_s: {int(tick_end(MINUTE + timedelta(seconds=s), phase_s).timestamp()) % 20 for s in range(120)} for phase_s in (0.0, 10.0)
    }
    gaps = [{(end + second) % 20 for end in ends for second in range(6)} for ends in away.values()]
    assert not gaps[0] & gaps[1]
