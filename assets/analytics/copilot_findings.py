"""What stands out in the evidence: each finding is one sentence with the numbers that prove it; pure.

| finding | how it is found |
|---|---|
| attention | open alerts, anomalies and failure risk of each machine, weighed; the worst three |
| changed | median hourly level of the range against the time before, in robust standard deviations of that time; the three greatest |
| together | rules whose alerts were raised within 10 minutes of each other, again and again; bursts over several machines |
| waste | energy drawn while idle |
| downtime | hours in fault |
| forecast | energy that is expected, with its interval |
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Final

import polars as pl

from assets.analytics.copilot_data import Evidence
from assets.analytics.copilot_words import (
    ANALYTICS_LINK,
    AVAILABILITY_LINK,
    ENERGY_LINK,
    Clock,
    Finding,
    alert_link,
    alerts_link,
    counted,
    listed,
    machine_link,
    num,
    with_unit,
)
from warehouse.queries.alerts import AlertRow
from warehouse.queries.analytics import contributors
from warehouse.terms import SEVERITIES

SEVERITY_WEIGHT: Final = {"critical": 25.0, "high": 10.0, "medium": 4.0, "low": 1.0}
MOST_OF_A_KIND: Final = 3
NEEDS_ATTENTION_FROM: Final = 10.0
LEAST_SHIFT: Final = 2.0
"""In robust standard deviations; less is the usual coming and going."""
LEAST_CHANGE: Final = 0.05
LEAST_HOURS: Final = 12
"""Hours that range and time before must have before they are compared."""
TOGETHER_WITHIN: Final = timedelta(minutes=10)
LEAST_TOGETHER: Final = 3
LEAST_MACHINES_IN_BURST: Final = 3
LEAST_IDLE_KWH: Final = 1.0
LEAST_FAULT_S: Final = 900.0
FAR: Final = 100.0
"""Times the limit from which a number says nothing more."""
NORMAL_IQR: Final = 1.349
"""Interquartile range of a normal distribution in standard deviations."""


def findings(evidence: Evidence) -> list[Finding]:
    """Everything that stands out, the weightiest first; one calm sentence when nothing does."""
    found = [
        *attention(evidence), *changed(evidence), *together(evidence), *bursts(evidence), *waste(evidence), *downtime(evidence),
        *expected(evidence),
    ]  # fmt: skip
    return sorted(found, key=lambda finding: -finding.weight) or [_calm(evidence)]


def attention(evidence: Evidence) -> list[Finding]:
    """The machines that somebody should look at first, and why."""
    found = [finding for machine in evidence.machines if (finding := _of_machine(evidence, machine.id)) is not None]
    return sorted(found, key=lambda finding: -finding.weight)[:MOST_OF_A_KIND]


def _of_machine(evidence: Evidence, device_id: int) -> Finding | None:
    machine = next(each for each in evidence.machines if each.id == device_id)
    own = evidence.anomalies.filter(pl.col("device_id") == device_id)
    risks = evidence.risks.filter(pl.col("device_id") == device_id).drop_nulls("probability").sort("probability", descending=True)
    weight = sum(SEVERITY_WEIGHT[level] * number for level, number in machine.alerts.items())
    reasons, facts = [], dict[str, float | int | str]()
    links = [machine_link(machine.device_key)]
    standing = [(level, machine.alerts.get(level, 0)) for level in SEVERITIES if machine.alerts.get(level, 0)]
    if standing:
        noun = "open alert" if sum(number for _, number in standing) == 1 else "open alerts"
        reasons.append(f"{listed([f'{number} {level}' for level, number in standing])} {noun}")
        facts |= {f"open_{level}_alerts": number for level, number in standing}
        links.append(alerts_link(machine.device_key))
    if own.height:
        weight += 10.0 * min(own.height, 3)
        reasons.append(_anomaly_words(evidence, device_id, own))
        facts |= {"anomalies": own.height, "strongest_anomaly": round(float(own["score"].max()), 3)}  # type: ignore[arg-type]  # a number
    if risks.height and risks["probability"][0] >= 0.2:
        probability, horizon = float(risks["probability"][0]), float(risks["horizon_h"][0])
        weight += 60.0 * probability
        reasons.append(f"a failure within {_horizon(horizon)} has a probability of {num(100 * probability)} %")
        facts |= {"failure_probability": round(probability, 4), "horizon_h": horizon}
        links.append(ANALYTICS_LINK)
    if weight < NEEDS_ATTENTION_FROM or not reasons:
        return None
    health = f", health {machine.health} of 100" if machine.health is not None else ""
    if machine.health is not None:
        facts["health"] = machine.health
    sentence = f"{machine.device_key} needs attention{health}: {listed(reasons)}."
    return Finding("attention", sentence, facts, tuple(links), (machine.device_key,), 100 + weight)


def _anomaly_words(evidence: Evidence, device_id: int, own: pl.DataFrame) -> str:
    worst = own.sort("score", descending=True).row(0, named=True)
    names = [_label(evidence, device_id, name) for name in contributors(worst["contributions"])[:2]]
    because = f", mostly {listed(names)}" if names else ""
    beyond = f"{num(worst['score'])} times its limit" if worst["score"] <= FAR else "far beyond its limit"
    return f"{counted(own.height, 'anomaly', 'anomalies')}, the strongest {beyond}{because}"


def changed(evidence: Evidence) -> list[Finding]:
    """Parameters whose level moved most against the time before."""
    is_now = pl.col("bucket") >= evidence.start
    summed = (
        evidence.levels.drop_nulls("mean")
        .group_by("device_id", "parameter", is_now.alias("is_now"))
        .agg(
            pl.col("mean").median().alias("level"),
            (pl.col("mean").quantile(0.75) - pl.col("mean").quantile(0.25)).alias("iqr"),
            pl.len().alias("hours"),
        )
    )
    key = ["device_id", "parameter"]
    both = summed.filter("is_now").join(summed.filter(~pl.col("is_now")), on=key, suffix="_before")
    # A level that never moved would make any change endless: at least one percent of it counts as usual spread.
    usual = pl.max_horizontal(pl.col("iqr_before") / NORMAL_IQR, pl.col("level_before").abs() * 0.01, pl.lit(1e-9))
    moved = (
        both.filter(pl.col("hours") >= LEAST_HOURS, pl.col("hours_before") >= LEAST_HOURS)
        .with_columns(shift=(pl.col("level") - pl.col("level_before")) / usual)
        .filter(pl.col("shift").abs() >= LEAST_SHIFT)
        .filter((pl.col("level") - pl.col("level_before")).abs() >= LEAST_CHANGE * pl.col("level_before").abs())
        .sort(pl.col("shift").abs(), *key, descending=[True, False, False])
    )
    rows = [row for row in moved.iter_rows(named=True) if row["device_id"] in evidence.keys]
    return [_changed(evidence, row) for row in rows[:MOST_OF_A_KIND]]


def _changed(evidence: Evidence, row: dict[str, float]) -> Finding:
    key = evidence.keys[int(row["device_id"])]
    label = evidence.labels.get((int(row["device_id"]), str(row["parameter"])))
    unit, name = (label.unit, label.name) if label else ("", str(row["parameter"]))
    now, before = float(row["level"]), float(row["level_before"])
    percent = 100 * (now / before - 1) if before else None
    by = f" ({'+' if now > before else '−'}{num(abs(percent))} %)" if percent is not None else ""
    facts: dict[str, float | int | str] = {
        "level": round(now, 6), "level_before": round(before, 6), "shift_in_standard_deviations": round(float(row["shift"]), 2)
    }  # fmt: skip
    if percent is not None:
        facts["change_percent"] = round(percent, 3)
    sentence = (
        f"{name} of {key} changed: typically {with_unit(now, unit)} instead of {with_unit(before, unit)} before{by}, "
        f"{num(abs(float(row['shift'])))} times its usual variation."
    )
    return Finding("changed", sentence, facts, (machine_link(key),), (key,), 40 + min(abs(float(row["shift"])), 30.0))


def together(evidence: Evidence) -> list[Finding]:
    """Rules of one machine whose alerts come in pairs."""
    by_machine = defaultdict[str, list[AlertRow]](list)
    for alert in evidence.alerts:
        by_machine[alert.device_key].append(alert)
    found = [finding for key, own in by_machine.items() for finding in _pairs(key, own)]
    return sorted(found, key=lambda finding: -finding.weight)[:MOST_OF_A_KIND]


def _pairs(key: str, alerts: Sequence[AlertRow]) -> Iterator[Finding]:
    raised = defaultdict[str, list[datetime]](list)
    for alert in alerts:
        raised[alert.title].append(alert.triggered_at)
    for one, other in combinations(sorted(raised), 2):
        fewer, more = sorted((one, other), key=lambda title: (len(raised[title]), title))
        met = sum(any(abs(moment - again) <= TOGETHER_WITHIN for again in raised[more]) for moment in raised[fewer])
        total = len(raised[fewer])
        if met >= LEAST_TOGETHER and met * 2 >= total:
            sentence = (
                f"On {key} the alerts “{fewer}” and “{more}” belong together: {met} of {total} times “{fewer}” was raised within "
                f"{int(TOGETHER_WITHIN.total_seconds() // 60)} minutes of “{more}”."
            )
            facts: dict[str, float | int | str] = {"together": met, "times": total, "within_min": TOGETHER_WITHIN.total_seconds() / 60}
            yield Finding("together", sentence, facts, (alerts_link(key), machine_link(key)), (key,), 30 + met)


def bursts(evidence: Evidence) -> list[Finding]:
    """The greatest moment at which several machines raised alerts at once: mostly one cause, such as compressed air."""
    ordered = sorted(evidence.alerts, key=lambda alert: (alert.triggered_at, alert.id))
    best: list[AlertRow] = []
    begin = 0
    for end, alert in enumerate(ordered):
        while alert.triggered_at - ordered[begin].triggered_at > TOGETHER_WITHIN:
            begin += 1
        window = ordered[begin : end + 1]
        if len({each.device_key for each in window}) > len({each.device_key for each in best}):
            best = window
    keys = list(dict.fromkeys(each.device_key for each in best))
    if len(keys) < LEAST_MACHINES_IN_BURST:
        return []
    first = best[0]
    at = Clock(evidence.timezone).at(first.triggered_at)
    named = listed(keys[:4] + ([f"{len(keys) - 4} more"] if len(keys) > 4 else []))
    sentence = (
        f"At {at} {len(keys)} machines raised {counted(len(best), 'alert')} within "
        f"{int(TOGETHER_WITHIN.total_seconds() // 60)} minutes ({named}); “{first.title}” on {first.device_key} came first."
    )
    facts: dict[str, float | int | str] = {"machines": len(keys), "alerts": len(best), "first_at": at, "within_min": 10}
    if len(keys) > 4:
        facts["more"] = len(keys) - 4
    return [Finding("together", sentence, facts, (alert_link(first.id), machine_link(first.device_key)), tuple(keys), 35.0 + len(keys))]


def waste(evidence: Evidence) -> list[Finding]:
    """Energy drawn while nothing was made."""
    if evidence.energy.is_empty():
        return []
    summed = (
        evidence.energy.group_by("device_id").agg(pl.col("kwh", "idle_kwh", "cost").sum()).sort("idle_kwh", "device_id", descending=True)
    )
    total, idle = float(summed["kwh"].sum()), float(summed["idle_kwh"].sum())
    if idle < LEAST_IDLE_KWH or not total:
        return []
    top = [(evidence.keys[row["device_id"]], row["idle_kwh"]) for row in summed.iter_rows(named=True) if row["device_id"] in evidence.keys]
    named = listed([f"{key} {num(kwh)} kWh" for key, kwh in top[:3] if kwh >= LEAST_IDLE_KWH / 2] or [f"{top[0][0]} {num(top[0][1])} kWh"])
    facts: dict[str, float | int | str] = {
        "idle_kwh": round(idle, 3),
        "kwh": round(total, 3),
        "share_percent": round(100 * idle / total, 3),
    }
    facts |= {f"idle_kwh {key}": round(kwh, 3) for key, kwh in top[:3]}
    paid = ""
    cost = float(summed["cost"].sum())
    if evidence.currency and cost:
        facts["idle_cost"] = round(cost * idle / total, 2)
        paid = f", about {num(cost * idle / total)} {evidence.currency}"
    sentence = f"{num(idle)} of {num(total)} kWh ({num(100 * idle / total)} %{paid}) were drawn while machines idled; most by {named}."
    links = (ENERGY_LINK, *(machine_link(key) for key, _ in top[:2]))
    return [Finding("waste", sentence, facts, links, tuple(key for key, _ in top[:3]), 25 + 100 * idle / total)]


def downtime(evidence: Evidence) -> list[Finding]:
    """The machine that stood in fault longest."""
    if evidence.availability.is_empty():
        return []
    summed = evidence.availability.group_by("device_id").agg(pl.col("fault_s").sum(), pl.col("failures").sum())
    rows = [row for row in summed.sort("fault_s", descending=True).iter_rows(named=True) if row["device_id"] in evidence.keys]
    if not rows or rows[0]["fault_s"] < LEAST_FAULT_S:
        return []
    key, hours, failures = evidence.keys[rows[0]["device_id"]], rows[0]["fault_s"] / 3600, int(rows[0]["failures"])
    total = sum(row["fault_s"] for row in rows) / 3600
    sentence = f"{key} stood in fault for {num(hours)} h in {counted(failures, 'failure')}; all machines together for {num(total)} h."
    facts: dict[str, float | int | str] = {"fault_h": round(hours, 3), "failures": failures, "fault_h_of_all": round(total, 3)}
    return [Finding("downtime", sentence, facts, (AVAILABILITY_LINK, machine_link(key)), (key,), 30 + min(hours, 20.0))]


def expected(evidence: Evidence) -> list[Finding]:
    """Energy that the newest forecast expects."""
    ahead = evidence.forecast
    if ahead.is_empty():
        return []
    kwh = float(ahead["kwh"].sum())
    days = round(float(ahead["interval_s"].sum()) / 86400, 1)
    facts: dict[str, float | int | str] = {"expected_kwh": round(kwh, 3), "days": days}
    paid = ""
    if evidence.currency and ahead["cost"].drop_nulls().len():
        facts["expected_cost"] = round(float(ahead["cost"].sum()), 2)
        paid = f", about {num(float(ahead['cost'].sum()))} {evidence.currency}"
    sentence = f"The factory is expected to use {num(kwh)} kWh in the next {num(days)} days{paid}."
    return [Finding("forecast", sentence, facts, (ANALYTICS_LINK, ENERGY_LINK), (), 10.0)]


def _calm(evidence: Evidence) -> Finding:
    machines, hours = len(evidence.machines), (evidence.end - evidence.start).total_seconds() / 3600
    sentence = (
        f"Nothing stands out: {counted(machines, 'machine')} over {num(hours / 24)} days, {counted(len(evidence.alerts), 'alert')}, "
        "no level that changed beyond its usual variation."
    )
    facts: dict[str, float | int | str] = {"machines": machines, "days": round(hours / 24, 2), "alerts": len(evidence.alerts)}
    return Finding("calm", sentence, facts, (("machines", "/machines"),))


def _label(evidence: Evidence, device_id: int, parameter: str) -> str:
    label = evidence.labels.get((device_id, parameter))
    return label.name if label else parameter


def _horizon(hours: float) -> str:
    return f"{num(hours)} h" if hours < 72 else f"{num(hours / 24)} days"
