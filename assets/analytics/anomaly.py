"""Anomaly detection that people order: each machine is learned from the weeks before and judged over the range."""

from datetime import datetime
from typing import Any, Final

import polars as pl

from assets.analytics.anomaly_charts import score_chart
from assets.analytics.anomaly_findings import MachineFindings, findings_of, headline, sentences
from assets.analytics.anomaly_models import learned_for
from assets.analytics.contract import Inputs, NotEnoughDataError, Result, Tell
from assets.analytics.machine_grid import machine
from assets.models.anomaly.detector import score

MOST_CHARTS: Final = 6
FROM_RANGE: Final = "there was too little before the range, so that its own healthiest part is what counts as usual"


def analyse(inputs: Inputs, tell: Tell) -> Result:
    """Anomalies and scores of the machines over [start, end); of a machine with too little data it says so.

    Raises NotEnoughDataError when that is true of all of them, CancelledError, LakeBusyError.
    """
    found: list[MachineFindings] = []
    too_little: list[str] = []
    from_range: list[str] = []
    version = f"job-{inputs.job_id}" if inputs.job_id else f"once-{inputs.installation.clock.now():%Y%m%dT%H%M%S}"
    for number, device_id in enumerate(inputs.device_ids):
        of = machine(inputs.installation, inputs.factory_id, device_id)
        tell(95 * number / len(inputs.device_ids), f"learning {of.name} ({number + 1} of {len(inputs.device_ids)})")
        try:
            learned = learned_for(inputs.installation, inputs.factory_id, of, inputs.start, inputs.end)
        except NotEnoughDataError as reason:
            too_little.append(reason.message)
            continue
        tell(95 * (number + 0.6) / len(inputs.device_ids), f"judging {of.name}")
        scored = score(learned.model, learned.grid)
        found.append(findings_of(of, learned.model, learned.grid, scored, (inputs.start, inputs.end), version))
        from_range += [] if learned.is_from_before else [f"Of {of.name} {FROM_RANGE}."]
    if not found:
        raise NotEnoughDataError("; ".join(too_little) or "no machine was chosen")
    tell(96, "drawing")
    return Result(
        summary=summary(found, too_little, from_range),
        tables={
            "anomalies": pl.concat([each.anomalies for each in found]),
            "anomaly_scores": pl.concat([each.scores for each in found]),
        },
        charts=charts(found, inputs.start, inputs.end),
    )


def summary(found: list[MachineFindings], too_little: list[str], notes: list[str]) -> dict[str, Any]:
    """For API, page and report; pure."""
    return {
        "headline": headline(found, too_little),
        "findings": [*sentences(found, too_little), *notes],
        "machines": [
            {
                "device_id": each.machine.device_id, "name": each.machine.name, "anomalies": each.anomalies.height,
                "greatest_score": each.scores["score"].max(), "unusual_hours": _hours(each.anomalies), "model": each.model,
            }
            for each in found
        ],
        "not_judged": too_little,
    }  # fmt: skip


def charts(found: list[MachineFindings], start: datetime, end: datetime) -> dict[str, bytes]:
    """The score of the machines with the strongest anomalies, by machine key."""
    strongest = sorted((each for each in found if each.anomalies.height), key=lambda each: -float(each.anomalies["score"].max()))  # type: ignore[arg-type]  # floats
    shown = strongest[:MOST_CHARTS] or found[:1]
    return {f"score-{each.machine.device_key}": score_chart(each, start, end) for each in shown}


def _hours(anomalies: pl.DataFrame) -> float:
    span = anomalies.select((pl.col("ended_at") - pl.col("started_at")).sum().dt.total_seconds() / 3600).item()
    return round(float(span or 0.0), 2)
