"""Analyses that do what a test wants, in the place of real ones."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl

from assets.analytics.contract import Inputs, Result, Tell

meanwhile: list[Callable[[Inputs, Tell], None]] = []
"""What happens in the middle of the analysis."""


def analyse(inputs: Inputs, tell: Tell) -> Result:
    tell(0, "reading")
    for act in meanwhile:
        act(inputs, tell)
    tell(100, "done")
    begin = inputs.start + timedelta(hours=1)
    rows = [
        {"device_id": device_id, "started_at": begin, "ended_at": begin + timedelta(hours=1), "score": 2.0, "sentence": "Hot.",
         "contributions": "{}", "model_version": "v1"}
        for device_id in inputs.device_ids
    ]  # fmt: skip
    summary = {"headline": "One anomaly.", "findings": ["Hot."], "unknown": float("nan"), "at": inputs.start}
    return Result(summary, {"anomalies": pl.DataFrame(rows), "extra": pl.DataFrame({"a": [1]})}, {"timeline": b"<svg/>"})
