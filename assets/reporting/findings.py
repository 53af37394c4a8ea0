"""What deserves the reader's first minute, found by rules in the data, worst first; pure. Nothing here is invented: each names its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from assets.reporting.blocks import plain
from assets.reporting.run_data import RunData

RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}
LONG_GAP = timedelta(hours=1)
FREQUENT_SHARE = 0.1
FREQUENT_LEAST = 5
MOST_FAULT_H = 1.0


@dataclass(frozen=True)
class Finding:
    """One finding: how severe, what, why, and where the proof is."""

    severity: str
    title: str
    body: str
    evidence: str
    weight: float
    """Order within a severity, greater first."""


def findings(run: RunData, most: int = 3, *, with_alarm_quality: bool = True) -> list[Finding]:
    """The weightiest findings, one a subject; those about alarm quality only where the report shows it."""
    found = [*_open_alerts(run), *_faults(run), *_gaps(run)]
    if with_alarm_quality and run.alerts.height:
        found += [*_frequent(run), *_unseen(run)]
    found.sort(key=lambda f: (RANK[f.severity], -f.weight, f.title))
    chosen: list[Finding] = []
    for finding in found:
        if finding.title not in {f.title for f in chosen}:
            chosen.append(finding)
    return chosen[:most]


def open_alerts(run: RunData) -> pl.DataFrame:
    """Critical and high alerts that stood at the end of the period, worst and oldest first."""
    return run.all_alerts.filter(
        pl.col("severity").is_in(["critical", "high"])
        & (pl.col("resolved_at").is_null() | (pl.col("resolved_at") >= run.end))
        & (pl.col("triggered_at") < run.end)
    ).sort(pl.col("severity").replace_strict(RANK, return_dtype=pl.Int8), "triggered_at")


def _open_alerts(run: RunData) -> Iterator[Finding]:
    for (device,), group in open_alerts(run).group_by("device_id", maintain_order=True):
        first = group.row(0, named=True)
        machine = plain(run.keys.get(int(str(device)), "?"))
        age = run.write.span((run.end - first["triggered_at"]).total_seconds() / 60)
        body = run.words("Raised {when}; {age} old at the end of the period.", when=run.when(first["triggered_at"]), age=age)
        if group.height > 1:
            body += " " + run.words("{count} alerts of this machine were open.", count=group.height)
        body += " " + (
            run.words("Acknowledged by {person}.", person=plain(first["acknowledged_by"] or "?"))
            if first["acknowledged_at"]
            else run.words("Nobody has acknowledged it.")
        )
        title = run.words("{machine}: “{alert}” is still open", machine=machine, alert=plain(first["title"]))
        yield Finding(first["severity"], title, body, _register(run, first["triggered_at"]), group.height + 10)


def _register(run: RunData, raised: datetime) -> str:
    """Where an open alert stands: in the register, or, when it is older than the period, in the table of those before."""
    return run.words("Evidence: @tbl-register") if raised >= run.start else run.words("Evidence: @tbl-standing")


def _faults(run: RunData) -> Iterator[Finding]:
    for device, hours in run.hours_by_device.items():
        if hours.fault >= MOST_FAULT_H:
            share = hours.fault / hours.known_on if hours.known_on else 1
            title = run.words("{machine}: {hours} h in fault", machine=plain(run.keys[device]), hours=run.write.num(hours.fault))
            body = run.words(
                "Critical alerts stood on this machine in {share} % of the time that it was on and known; availability {availability} %.",
                share=run.write.percent(share), availability=run.write.percent(hours.availability),
            )  # fmt: skip
            yield Finding("high", title, body, run.words("Evidence: @tbl-plant"), hours.fault)


def _gaps(run: RunData) -> Iterator[Finding]:
    long = run.gaps.filter(pl.col("length") >= LONG_GAP)
    for (device,), group in long.group_by("device_id", maintain_order=True):
        hours = float(group["length"].dt.total_seconds().sum()) / 3600
        title = run.words(
            "{machine}: {hours} h without data", machine=plain(run.keys.get(int(str(device)), "?")), hours=run.write.num(hours)
        )
        body = run.words(
            "Gaps longer than an hour: {count}. Nothing in this report can prove what the machine did then.", count=group.height
        )  # fmt: skip
        yield Finding("high" if hours >= 12 else "medium", title, body, run.words("Evidence: @tbl-gaps"), hours)


def _frequent(run: RunData) -> Iterator[Finding]:
    pairs = run.alerts.group_by("device_id", "title").len().sort(["len", "device_id"], descending=[True, False])
    if pairs.height and pairs["len"][0] >= FREQUENT_LEAST and pairs["len"][0] >= FREQUENT_SHARE * run.alerts.height:
        device, title, count = pairs.row(0)
        share = run.write.percent(count / run.alerts.height, 0)
        text = run.words("One alert makes {share} % of all", share=share)
        body = run.words(
            "{machine} “{alert}” fired {count} times.", machine=plain(run.keys.get(device, "?")), alert=plain(title), count=count
        )
        yield Finding("medium", text, body, run.words("Evidence: @fig-alarm"), count)


def _unseen(run: RunData) -> Iterator[Finding]:
    late = run.quality.acknowledged_in_time["high"]
    if late is not None and late < 0.9:
        text = run.words("High alerts wait too long")
        body = run.words("{share} % were acknowledged within 30 minutes; the target is 90 %.", share=run.write.percent(late, 0))
        yield Finding("medium", text, body, run.words("Evidence: @tbl-isa"), 1 - late)
