"""The copilot without any model: what stands out in the data, in sentences that carry their numbers and links. See docs/analytics.md."""

import json
from datetime import timedelta
from typing import Any

import polars as pl

from assets.analytics.contract import Inputs, Result, Tell
from assets.analytics.copilot_data import device_rows, gather
from assets.analytics.copilot_findings import findings
from assets.analytics.copilot_words import Finding, counted
from warehouse.installation import Installation
from warehouse.objects import ObjectStore
from warehouse.queries.analytics import insights_path


def analyse(inputs: Inputs, tell: Tell) -> Result:
    """Findings about the machines in the range. Raises NotEnoughDataError, LakeBusyError."""
    evidence = gather(inputs, tell)
    tell(80, "comparing")
    found = findings(evidence)
    tell(95, "writing")
    return Result(summary(found, len(evidence.machines)), {"findings": as_table(found)})


def summary(found: list[Finding], machines: int) -> dict[str, Any]:
    """The result's JSON; pure."""
    said = sum(finding.kind != "calm" for finding in found)
    headline = found[0].sentence if said else "Nothing stands out."
    return {
        "headline": headline,
        "findings": [finding.sentence for finding in found],
        "details": [finding.as_json() for finding in found],
        "note": f"{counted(said, 'finding')} about {counted(machines, 'machine')}, written from the data without a language model.",
    }


def as_table(found: list[Finding]) -> pl.DataFrame:
    """A row a number: kind, sentence, fact, value; pure."""
    rows = [(each.kind, each.sentence, name, str(value)) for each in found for name, value in each.facts.items()]
    return pl.DataFrame(rows, schema={"kind": pl.String, "sentence": pl.String, "fact": pl.String, "value": pl.String}, orient="row")


def make_insights(installation: Installation, factory_id: int, looks_back: timedelta) -> dict[str, Any]:
    """Findings about all machines of a factory, kept in place of the earlier ones. Raises NotEnoughDataError, LakeBusyError."""
    now = installation.clock.now()
    devices = [machine.id for machine in device_rows(installation, factory_id)]
    evidence = gather(Inputs(installation, factory_id, devices, now - looks_back, now), lambda _percent, _stage: None)
    found = summary(findings(evidence), len(evidence.machines))
    told = found | {"start": (now - looks_back).isoformat(), "end": now.isoformat(), "made_at": now.isoformat()}
    ObjectStore(installation.settings).write(insights_path(factory_id), json.dumps(told).encode())
    return found
