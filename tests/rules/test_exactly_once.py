"""The evaluator against a model: any order, any repeats and crashes at any moment give each alert once."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.evaluation import Evaluator
from tests.rules.installation import START, add_device, add_factory, add_rule, evaluator, land, raises, readings
from warehouse.clock import ManualClock
from warehouse.db import Database

# Within the two minutes of lateness that are promised; 90 is hot, 20 is not.
MESSAGE = st.tuples(st.integers(0, 1), st.integers(0, 100), st.sampled_from([20.0, 90.0]))
STEPS = st.lists(
    st.one_of(st.lists(MESSAGE, min_size=1, max_size=5), st.sampled_from(["evaluate", "again", "crash", "stop"])), min_size=1, max_size=12
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_each_hot_moment_alerts_once(sqlite_database: Database, steps: list[list[tuple[int, int, float]] | str]) -> None:
    db, factory_id = sqlite_database, add_factory(sqlite_database)
    devices = [add_device(db, factory_id, key) for key in ("M01", "M02")]
    add_rule(db, factory_id, cooldown_minutes=0)
    clock = ManualClock(START)
    running, model, last = evaluator(db, clock), dict[tuple[int, int], float](), list[tuple[int, int, float]]()
    for step in [*steps, "evaluate"]:
        if isinstance(step, list) or step == "again":
            last = step if isinstance(step, list) else last
            for device, second, value in last:
                model.setdefault((devices[device], second), value)
            land(db, *(readings(factory_id, devices[device], [(second, {"spindle_temp": value})]) for device, second, value in last))
        else:
            running = _after(step, running, clock)
    hot = {key for key, value in model.items() if value > 80}
    raised = [(one.device_id, round((one.raised_at - START).total_seconds())) for one in raises(db)]
    assert sorted(key for key in raised if key[0] in devices) == sorted(hot)


def _after(step: str, running: Evaluator, clock: ManualClock) -> Evaluator:
    """A crash forgets everything; a stop writes down first what is remembered; both go on from what the database holds."""
    if step == "evaluate":
        while running.step().batches:
            pass
        return running
    if step == "stop":
        running.flush(snapshot=True)
    return Evaluator(running.db, app_url=running.app_url, clock=clock)
