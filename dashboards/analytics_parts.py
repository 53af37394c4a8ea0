"""The cards and lists of the analytics page: results in, HTML out."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

import polars as pl

from dashboards import fmt, ui
from dashboards.analytics_data import KINDS, EnergyAhead, Explained, Model
from dashboards.fmt import Local
from warehouse.models.work import AnalyticsJob
from warehouse.queries.analytics import reason_sentences
from warehouse.queries.devices import DeviceRow

ICONS = {
    "attention": "high",
    "changed": "up",
    "together": "bell",
    "waste": "bolt",
    "downtime": "fault",
    "forecast": "bolt",
    "calm": "check",
}
MOST_ROWS = 30
MOST_LANES = 12
LEAST_WIDTH_PERCENT = 0.4
LIKELY = 0.5
POSSIBLE = 0.2
FAR = 100.0


def findings(found: Sequence[Mapping[str, Any]]) -> str:
    """Sentences with the pages that prove them and, on wish, their numbers."""
    rows = []
    for each in found:
        links = "".join(
            ui.link(str(link["path"]), escape(str(link["words"])), "chip") for link in each.get("links", []) if _is_ours(link.get("path"))
        )
        facts = "".join(
            f"<dt>{escape(str(name).replace('_', ' '))}</dt><dd>{escape(_number(value))}</dd>"
            for name, value in each.get("facts", {}).items()
        )
        proof = f'<details class="proof"><summary>Numbers</summary><dl class="facts">{facts}</dl></details>' if facts else ""
        glyph = ICONS.get(str(each.get("kind")), "live")
        rows.append(
            f'<div class="feed-row">{ui.icon(glyph)}<span class="what">{escape(str(each.get("sentence", "")))}'
            f'<span class="row-start proofs">{links}{proof}</span></span></div>'
        )
    return f'<div class="feed findings">{"".join(rows)}</div>'


def _is_ours(path: object) -> bool:
    """A page of these dashboards; nothing else may be linked from stored text."""
    return isinstance(path, str) and path.startswith("/") and not path.startswith("//")


def _number(value: object) -> str:
    return fmt.num(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def since(found: Explained, local: Local) -> str:
    """Over which range, and when it was found."""
    return f"{local.time(found.start)} to {local.time(found.end)} · {ui.moment(found.made_at, local)}"


def overview(
    anomalies: pl.DataFrame | None, risks: pl.DataFrame | None, ahead: EnergyAhead | None, keys: Mapping[int, str], local: Local
) -> str:
    """Three cards: anomalies, risk, energy; None where it cannot be read now."""
    return f'<div class="cards in-order three">{_anomaly_card(anomalies, keys)}{_risk_card(risks, keys)}{_energy_card(ahead, local)}</div>'


def _card(title: str, tab: str, value: str, lines: str, foot: str) -> str:
    more = ui.link(f"/analytics?tab={tab}", "Show")
    return (
        f'<div class="card">{ui.section(title, more)}<span class="big">{value}</span><div class="lines">{lines}</div>'
        f'<div class="foot-line"><span>{foot}</span></div></div>'
    )


def _anomaly_card(found: pl.DataFrame | None, keys: Mapping[int, str]) -> str:
    if found is None:
        return _card("Anomalies", "anomalies", "—", "", "The history store does not answer; trying again")
    if found.is_empty():
        return _card("Anomalies, 7 days", "anomalies", "0", "", "Nothing unusual was found, or nothing was looked at yet")
    worst = found.sort("score", descending=True).row(0, named=True)
    machines = found["device_id"].n_unique()
    line = f"<span>Strongest on {escape(keys.get(worst['device_id'], '?'))}<b>{times(worst['score'], '× limit')}</b></span>"
    return _card("Anomalies, 7 days", "anomalies", f"{found.height:,}", line, f"on {fmt.plural(machines, 'machine')}")


def _risk_card(found: pl.DataFrame | None, keys: Mapping[int, str]) -> str:
    if found is None:
        return _card("Failure risk", "failures", "—", "", "The history store does not answer; trying again")
    known = found.drop_nulls("probability")
    if known.is_empty():
        return _card("Failure risk", "failures", "—", "", "No prediction yet")
    longest = known["horizon_h"].max()
    ranked = known.filter(pl.col("horizon_h") == longest).sort("probability", descending=True)
    top = ranked.row(0, named=True)
    lines = "".join(
        f"<span>{escape(keys.get(row['device_id'], '?'))}<b>{fmt.num(100 * row['probability'])} %</b></span>"
        for row in ranked.head(3).iter_rows(named=True)
    )
    title = f"Failure within {span_of(float(top['horizon_h']))}"
    likely = ranked.filter(pl.col("probability") >= LIKELY).height
    return _card(
        title,
        "failures",
        f"{fmt.num(100 * top['probability'])}<u>%</u>",
        lines,
        f"{likely} of {ranked.height} machines more likely than not",
    )


def _energy_card(found: EnergyAhead | None, local: Local) -> str:
    if found is None:
        return _card("Energy ahead", "energy", "—", "", "The history store does not answer; trying again")
    if found.ahead.is_empty():
        return _card("Energy ahead", "energy", "—", "", "No forecast yet")
    days = found.ahead.height / 24
    total, low, high = (float(found.ahead[name].sum()) for name in ("kwh", "kwh_low_80", "kwh_high_80"))
    lines = f"<span>80 % interval<b>{fmt.num(low)} to {fmt.num(high)} kWh</b></span>"
    if found.cost is not None:
        lines += f"<span>Cost<b>{fmt.num(found.cost)} {escape(found.currency)}</b></span>"
    made = ui.moment(found.made_at, local) if found.made_at else ""
    return _card(f"Energy, next {days:.2g} days", "energy", f"{fmt.num(total)}<u>kWh</u>", lines, f"Made {made}")


def lanes(found: pl.DataFrame, keys: Mapping[int, str], start: datetime, end: datetime, local: Local) -> str:
    """A line a machine with its anomalies, the most unusual machine first."""
    length = (end - start).total_seconds()
    ranked = found.group_by("device_id").agg(pl.col("score").max()).sort("score", descending=True)["device_id"].to_list()
    rows = []
    for device_id in ranked[:MOST_LANES]:
        marks = "".join(_mark(row, start, length, local) for row in found.filter(pl.col("device_id") == device_id).iter_rows(named=True))
        key = keys.get(device_id, "?")
        rows.append(f"<div>{ui.link(ui.machine_url(key), f'<b>{escape(key)}</b>')}<span>{marks}</span></div>")
    axis = f'<div class="ends"><b></b><span><em>{local.time(start)}</em><em>{local.time(end)}</em></span></div>'
    more = f'<p class="mute">{len(ranked) - MOST_LANES} more machines are in the list.</p>' if len(ranked) > MOST_LANES else ""
    return f'<div class="lanes">{"".join(rows)}{axis}</div>{more}'


def _mark(row: Mapping[str, Any], start: datetime, length: float, local: Local) -> str:
    left = max(0.0, (row["started_at"] - start).total_seconds() / length * 100)
    width = max((row["ended_at"] - row["started_at"]).total_seconds() / length * 100, LEAST_WIDTH_PERCENT)
    strength = min(1.0, 0.35 + row["score"] / 8)
    title = escape(f"{local.time(row['started_at'])}: {row['sentence'] or ''}", quote=True)
    return f'<i style="left:{left:.2f}%;width:{min(width, 100 - left):.2f}%;opacity:{strength:.2f}" title="{title}"></i>'


def anomaly_list(found: pl.DataFrame, keys: Mapping[int, str], local: Local) -> str:
    """Newest first: machine, when, how strong, what and which parameters."""
    rows = [_anomaly(row, keys.get(row["device_id"], "?"), local) for row in found.head(MOST_ROWS).iter_rows(named=True)]
    more = f'<p class="mute">{found.height - MOST_ROWS} older ones are not shown.</p>' if found.height > MOST_ROWS else ""
    return f'<div class="feed">{"".join(rows)}</div>{more}'


def _anomaly(row: Mapping[str, Any], key: str, local: Local) -> str:
    lasted = fmt.span((row["ended_at"] - row["started_at"]).total_seconds())
    bars = "".join(
        f'<span class="share"><span>{escape(str(each.get("parameter", "?")))}</span>'
        f'<span class="bar"><i style="width:{100 * min(max(float(each.get("share", 0)), 0), 1):.0f}%"></i></span>'
        f"<span>{_against(each)}</span></span>"
        for each in contributions(row["contributions"])[:3]
    )
    body = (
        f'<span class="what"><b>{escape(key)}</b>{escape(row["sentence"] or "")}'
        f"<small>{ui.moment(row['started_at'], local)} · for {lasted} · {times(row['score'])}</small>{bars}</span>"
    )
    return ui.link(ui.machine_url(key), f'<i class="dot"></i>{body}', "feed-row")


def times(score: float, of: str = "times its limit") -> str:
    """How far beyond its limit; from a hundred on a number says nothing more."""
    return f"{fmt.num(score)} {of}" if score <= FAR else "far beyond its limit"


def contributions(text: str | None) -> list[Mapping[str, Any]]:
    """What made an anomaly, the strongest first; empty for what is none."""
    found = json.loads(text) if text else []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _against(each: Mapping[str, Any]) -> str:
    measured, expected = each.get("measured"), each.get("expected")
    if not isinstance(measured, int | float) or not isinstance(expected, int | float):
        return ""
    return f"{fmt.num(measured)} {escape(str(each.get('unit', '')))} <small>instead of {fmt.num(expected)}</small>"


def risk_list(found: pl.DataFrame, machines: Mapping[int, DeviceRow], local: Local) -> str:
    """A row a machine, the most at risk first: chance by horizon, time left with its interval, reasons."""
    horizons = sorted(found["horizon_h"].unique().to_list())
    by_machine: dict[int, dict[float, Mapping[str, Any]]] = {}
    for row in found.iter_rows(named=True):
        by_machine.setdefault(row["device_id"], {})[row["horizon_h"]] = row
    longest = horizons[-1]
    order = sorted(by_machine, key=lambda d: -(by_machine[d].get(longest, {}).get("probability") or 0))
    head = "".join(f'<span class="r">within {span_of(h)}</span>' for h in horizons[:2])
    rows = "".join(_risk(by_machine[d], horizons[:2], machines[d], local) for d in order if d in machines)
    return f'<div class="elist risks"><div class="ehead"><span>Machine</span>{head}<span>Time left</span><span>Why</span></div>{rows}</div>'


def _risk(rows: Mapping[float, Mapping[str, Any]], horizons: Sequence[float], machine: DeviceRow, local: Local) -> str:
    chances = "".join(_chance(rows.get(h, {}).get("probability")) for h in horizons)
    any_row = next(iter(rows.values()))
    reasons = reason_sentences(any_row["reasons"])
    why = "<br>".join(escape(reason) for reason in reasons[:3]) or '<span class="mute">Nothing stands out</span>'
    told = f"{escape(ui.title_beside_key(machine))} · {local.ago(any_row['ts'])}"
    name = f'<span class="c-name"><b>{escape(machine.device_key)}</b><small>{told}</small></span>'
    return ui.link(ui.machine_url(machine.device_key), f'{name}{chances}<span>{left(any_row)}</span><span class="why">{why}</span>', "erow")


def _chance(probability: float | None) -> str:
    if probability is None:
        return '<span class="n r">—</span>'
    cls = "bad" if probability >= LIKELY else "poor" if probability >= POSSIBLE else ""
    percent = 100 * probability
    shown = "below 1" if percent < 1 else fmt.num(percent, 2)
    return f'<span class="hb {cls}"><b>{shown}<u>%</u></b><span class="track"><i style="width:{percent:.0f}%"></i></span></span>'


def left(row: Mapping[str, Any]) -> str:
    """Time left with its interval."""
    life, low, high = (row[f"remaining_life_{part}h"] for part in ("", "low_", "high_"))
    if life is None:
        return "—"
    interval = f"<small>{_hours(low)} to {_hours(high)}</small>" if low is not None and high is not None else ""
    return f"<b>{_hours(life)}</b> {interval}"


def _hours(hours: float) -> str:
    return fmt.span(hours * 3600)


def span_of(hours: float) -> str:
    """A horizon: `24 h`, `7 days`."""
    return f"{hours:g} h" if hours < 72 else f"{hours / 24:g} days"


def quality(found: Mapping[str, Any], device_id: int | None) -> str:
    """How the models of a forecast did on earlier weeks, the best first; from the result of its job."""
    own = next((each for each in found.get("series", []) if isinstance(each, dict) and each.get("device_id") == device_id), None)
    errors = own.get("backtest_wape", {}) if own else {}
    if not own or not errors:
        return ui.state_panel(
            "small", "clock", "No trial on earlier weeks", "The forecast needs more history before models can be compared."
        )
    rows = "".join(
        f'<span class="{"used" if name == own.get("model") else ""}">{escape(str(name).replace("_", " "))}'
        f"<b>{fmt.num(100 * float(error))} % off</b></span>"
        for name, error in sorted(errors.items(), key=lambda pair: pair[1])
    )
    covered = "".join(
        f"<span>Within the {escape(str(level))} % interval<b>{fmt.num(100 * float(share))} %</b></span>"
        for level, share in own.get("coverage_measured", {}).items()
    )
    weeks = fmt.plural(int(own.get("backtest_weeks", 0)), "earlier week")
    return f'<div class="lines">{rows}{covered}</div><div class="foot-line"><span>Tried on {weeks}</span></div>'


def job_line(job: AnalyticsJob, local: Local) -> str:
    """What a job is and how far."""
    glyph = {"pending": "clock", "running": "running", "complete": "check", "failed": "high"}[job.status]
    words = {
        "pending": "waits",
        "running": f"{job.progress_percent:.0f} %, {job.stage or 'working'}",
        "complete": "complete",
        "failed": "failed",
    }
    days = (job.date_range_end - job.date_range_start) / timedelta(days=1)
    took = f" in {fmt.span((job.completed_at - job.started_at).total_seconds())}" if job.completed_at and job.started_at else ""
    about = f"{fmt.plural(len(job.device_ids), 'machine')} · {days:.3g} days · {ui.moment(job.created_at, local)}"
    by = " · by schedule" if job.schedule_id else ""
    state = f"{words[job.status]}{took if job.status == 'complete' else ''}"
    said = f'<span class="said">{escape(job.headline or "")}</span>' if job.status == "complete" else ""
    wrong = f'<span class="said high-t">{escape(job.error_message or "No reason was written.")}</span>' if job.status == "failed" else ""
    return (
        f'<div class="job">{ui.icon(glyph)}<span class="what"><b>{escape(KINDS.get(job.job_type, job.job_type))}</b> {escape(state)}'
        f"<small>{about}{by}</small>{said}{wrong}</span></div>"
    )


def files(job: AnalyticsJob) -> str:
    """Drawings, and links to what can be downloaded."""
    base = f"/api/v1/analytics/jobs/{job.id}/files"
    names = [str(file.get("name", "")) for file in job.files or []]
    drawings = "".join(_drawing(base, name) for name in names if name.endswith(".svg"))
    links = "".join(f'<a class="chip" href="{base}/{escape(name, quote=True)}" target="_self">{escape(name)}</a>' for name in names)
    return f'{drawings}<div class="row-start proofs">{links}</div>'


def _drawing(base: str, name: str) -> str:
    shown = escape(name.removesuffix(".svg").replace("-", " "), quote=True)
    return f'<img class="drawing" alt="{shown}" src="{base}/{escape(name, quote=True)}">'


def scorecard(models: Sequence[Model], local: Local) -> str:
    """Each version: how good it was on what it had not seen, and which one counts."""
    rows = "".join(
        f'<div class="feed-row{" on" if model.is_current else ""}">{ui.icon("check" if model.is_current else "clock")}<span class="what">'
        f"<b>{escape(model.name)}</b> {escape(model.version)} {'· in use' if model.is_current else ''}"
        f"<small>made {ui.moment(model.made_at, local)} from data up to {local.time(model.data_end)}</small>"
        f'<span class="row-start proofs">{_metrics(model.metrics)}</span></span></div>'
        for model in models
    )
    return f'<div class="feed">{rows}</div>'


def _metrics(metrics: Mapping[str, float]) -> str:
    return "".join(f'<span class="chip">{escape(name.replace("_", " "))} <b>{fmt.num(value)}</b></span>' for name, value in metrics.items())
