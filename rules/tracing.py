"""The steps of a message that raised an alert, for a collector of OpenTelemetry: on its way, landed, evaluated."""

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from rules.engine import Event, Raised
from rules.schedule import moment_of
from warehouse.landing import Batch
from warehouse.tracing import Exporter, Span, trace_id


def trace_alerts(exporter: Exporter | None, batch: Batch, events: Iterable[Event], now: datetime) -> None:
    """Hands over the spans of every alert that a batch raised; does nothing without an exporter."""
    if exporter is None:
        return
    for event in events:
        if isinstance(event, Raised):
            for span in spans_of(batch, event, now):
                exporter.add(span)


def spans_of(batch: Batch, raised: Raised, now: datetime) -> list[Span]:
    """From the machine's own time to the alert; pure."""
    at = moment_of(raised.at_us)
    said = batch.readings.filter((pl.col("device_id") == raised.device_id) & (pl.col("ts") == at))
    received: datetime = said["received_at"].to_list()[0] if said.height else batch.landed_at
    trace = trace_id(raised.rule.factory_id, raised.device_id, at)
    facts: dict[str, str | int] = {
        "factory_id": raised.rule.factory_id,
        "device_id": raised.device_id,
        "rule_id": raised.rule.rule_id,
        "landing_position": batch.position,
    }
    steps = [("ingest", received, batch.landed_at), ("evaluate", batch.landed_at, now)]
    whole = Span(trace, "message", min(at, received), now, facts)
    return [whole, *(Span(trace, name, begin, end, facts, "message") for name, begin, end in steps)]
