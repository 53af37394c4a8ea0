"""Sensors that drain: each tick works until its own moment of the wall clock, so that one of two is always at work (see `phases`)."""

from datetime import datetime
from typing import Any

import dagster as dg

from pipelines.phases import PERIOD_S, tick_end
from pipelines.pools import ensure_pools
from pipelines.standby import ensure_standby
from pipelines.stopping import STOP
from rules.evaluator import run_tick
from rules.notify.outbox import run_outbox_tick
from warehouse.installation import Installation

# Dagster makes 30 s of 0, and looks for due ticks every 5 s whatever is asked for.
LEAST_INTERVAL_S = 1


def evaluator_sensor(name: str, phase_s: float) -> dg.SensorDefinition:
    """A sensor whose ticks evaluate rules and end `phase_s` beyond each multiple of 20 s."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=LEAST_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Evaluates the alert rules on everything that lands. Each tick drains until {phase_s:g} s past every {PERIOD_S:g} s; "
        "its partner covers the gap. The cursor shown is a copy: the real one moves in the transaction that writes the alerts.",
    )
    def evaluate(context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]) -> dg.SensorResult:
        ensure_standby(installation.settings)
        ensure_pools(context.instance)
        began = installation.clock.now()
        done = run_tick(installation.settings, tick_end(began, phase_s), STOP)
        return dg.SensorResult(skip_reason=evaluator_status(done, seconds_since(began, installation)), cursor=str(done.position))

    return evaluate


def outbox_sensor(name: str, phase_s: float) -> dg.SensorDefinition:
    """A sensor whose ticks send what waits in the outbox."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=LEAST_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sends waiting notifications. Each tick drains until {phase_s:g} s past every {PERIOD_S:g} s.",
    )
    def send(installation: dg.ResourceParam[Installation]) -> dg.SkipReason:
        began = installation.clock.now()
        done = run_outbox_tick(installation.settings, tick_end(began, phase_s), STOP)
        return dg.SkipReason(outbox_status(done, seconds_since(began, installation)))

    return send


def seconds_since(began: datetime, installation: Installation) -> float:
    """How long a tick took."""
    return (installation.clock.now() - began).total_seconds()


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
