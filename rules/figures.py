"""What the evaluator and the outbox of a process count, for Prometheus: one of each a process, told with its signs of life."""

from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class EvaluatorFigures:
    """Counters of the evaluators of one process since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.batches = Counter("factoryops_evaluator_batches", "Landed batches evaluated", registry=self.registry)
        self.readings = Counter("factoryops_evaluator_readings", "Readings evaluated", registry=self.registry)
        self.alerts = Counter("factoryops_evaluator_alerts", "Triggers recorded, repeats of an alert too", registry=self.registry)
        self.step_s = Histogram(
            "factoryops_evaluator_step_seconds", "Evaluating and recording what landed", buckets=_SECONDS, registry=self.registry
        )
        self.lag_s = Histogram(
            "factoryops_evaluator_lag_seconds",
            "Landing to evaluation of a step's newest batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.shards = Gauge("factoryops_evaluator_shards_held", "Shards that this process evaluates now", registry=self.registry)
        self.too_late = Gauge(
            "factoryops_evaluator_too_late_readings",
            "Readings not evaluated, more than 2 minutes behind their device, by shard",
            ["shard"],
            registry=self.registry,
        )
        self.lost = Counter(
            "factoryops_evaluator_leases_lost",
            "Times that another process took over what this one held",
            registry=self.registry,
        )

    def stepped(self, batches: int, readings: int, alerts: int, seconds: float) -> None:
        """Adds one step."""
        self.batches.inc(batches)
        self.readings.inc(readings)
        self.alerts.inc(alerts)
        self.step_s.observe(seconds)

    def totals(self) -> tuple[int, int, int]:
        """Batches, readings and alerts since the start."""
        names = ("factoryops_evaluator_batches_total", "factoryops_evaluator_readings_total", "factoryops_evaluator_alerts_total")
        batches, readings, alerts = (int(self.registry.get_sample_value(name) or 0) for name in names)
        return batches, readings, alerts

    def lagged(self, landed_at: datetime, now: datetime) -> None:
        """Notes how old the newest batch was when it had been evaluated."""
        self.lag_s.observe(max(0.0, (now - landed_at).total_seconds()))


class OutboxFigures:
    """Counters of the outbox of one process since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "factoryops_outbox_messages",
            "Notifications by what became of a try: sent, failed, pending (tried again later), skipped, held",
            ["outcome"],
            registry=self.registry,
        )
        self.send_s = Histogram("factoryops_outbox_send_seconds", "One try to hand one over", buckets=_SECONDS, registry=self.registry)


EVALUATOR: Final = EvaluatorFigures()
OUTBOX: Final = OutboxFigures()
