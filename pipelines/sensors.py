"""Sensors that drain: each tick works until its own moment of the wall clock, so that one of two is always at work (see `phases`).

They ask Dagster for no resource: for that it opens its three databases and reads its migrations at each tick, 0.25 s of CPU (5 % of a
core for these four).
"""

from collections.abc import Callable
from typing import Any

import dagster as dg

from assets.opened import installation
from pipelines.phases import PERIOD_S, tick_end
from pipelines.pools import ensure_pools
from pipelines.signs import ensure_signs, ticked
from pipelines.stopping import STOP
from warehouse.installation import Installation

# Dagster makes 30 s of 0, and looks for due ticks every 5 s whatever is asked for.
LEAST_INTERVAL_S = 1


def evaluator_sensor(name: str, phase_s: float, opened: Callable[[], Installation] = installation) -> dg.SensorDefinition:
    """A sensor whose ticks evaluate rules and end `phase_s` beyond each multiple of 20 s."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=LEAST_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Evaluates the alert rules on everything that lands. Each tick drains until {phase_s:g} s past every {PERIOD_S:g} s; "
        "its partner covers the gap. The cursor shown is a copy: the real one moves in the transaction that writes the alerts.",
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # Only in the process that ticks: every run loads these definitions as well, and need not import rules, mail and NumPy.
        from pipelines.standby import ensure_standby  # noqa: PLC0415  # as said above
        from rules.crew import tick  # noqa: PLC0415  # as said above

        settings, clock = opened().settings, opened().clock
        ensure_standby(settings)
        ensure_signs(settings)
        ensure_pools(context)
        began = clock.now()
        done = tick(settings, tick_end(began, phase_s), STOP)
        ticked(name, clock.now())
        return dg.SensorResult(skip_reason=evaluator_status(done, (clock.now() - began).total_seconds()), cursor=str(done.position))

    return evaluate


def outbox_sensor(name: str, phase_s: float, opened: Callable[[], Installation] = installation) -> dg.SensorDefinition:
    """A sensor whose ticks send what waits in the outbox, and take the steps that are due by the clock."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=LEAST_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends waiting notifications; escalates, reminds, looks for ended silences and makes digests once a second. "
        f"Each tick drains until {phase_s:g} s past every {PERIOD_S:g} s.",
    )
    def send(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        from rules.notify.outbox import run_outbox_tick  # noqa: PLC0415  # as above

        settings, clock = opened().settings, opened().clock
        began = clock.now()
        done = run_outbox_tick(settings, tick_end(began, phase_s), STOP)
        ticked(name, clock.now())
        return dg.SkipReason(outbox_status(done, (clock.now() - began).total_seconds()))

    return send


def evaluator_status(done: Any, seconds: float) -> str:
    """Such as `20 batches, 3 alerts in 10 s`."""
    return f"{counted(done.batches, 'batch', 'batches')}, {counted(done.alerts, 'alert')} in {seconds:.0f} s"


def outbox_status(done: Any, seconds: float) -> str:
    """Such as `2 sent, 1 failed in 20 s`."""
    failed = f", {done.failed} failed" if done.failed else ""
    return f"{done.sent} sent{failed} in {seconds:.0f} s"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


SENSORS: list[dg.SensorDefinition] = [
    evaluator_sensor("evaluator_0s", 0),
    evaluator_sensor("evaluator_10s", 10),
    outbox_sensor("outbox_5s", 5),
    outbox_sensor("outbox_15s", 15),
]
