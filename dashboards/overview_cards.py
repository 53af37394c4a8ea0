"""The cards of the overview: numbers in, HTML out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import quote

import polars as pl

from dashboards import fmt, ui
from dashboards.cache import Answer
from dashboards.fmt import Local
from warehouse.health import factory_health
from warehouse.queries.alerts import AlertRow
from warehouse.queries.devices import DeviceRow
from warehouse.queries.summary import Summary

NEWEST = 6
RUNNING_ABOVE = 0.35


@dataclass(frozen=True)
class Data:
    """Everything on this page. `summary` and `power` are None while the lake is away."""

    machines: list[DeviceRow]
    alerts: list[AlertRow]
    summary: Answer[Summary] | None
    power: Answer[pl.DataFrame] | None
    typical: dict[int, float]
    raised_today: int
    raised_yesterday: int


def plant_series(power: pl.DataFrame, counted: set[int], local: Local) -> tuple[list[tuple[datetime, float]], list[tuple[datetime, float]]]:
    """Plant power in kW by step, today's and yesterday's; yesterday's moments are moved to today. Pure."""
    total = power.filter(pl.col("device_id").is_in(sorted(counted))).group_by("bucket").agg(pl.col("power_w").sum() / 1000).sort("bucket")
    today, yesterday = [], []
    for bucket, kw in total.iter_rows():
        here = local.here(bucket)
        if here >= local.midnight:
            today.append((here, kw))
        elif here.date() == local.now.date() - timedelta(days=1):
            yesterday.append((here + timedelta(days=1), kw))
    return today, yesterday


def running_share(power: pl.DataFrame, typical: dict[int, float], counted: set[int], start: datetime, end: datetime) -> float | None:
    """Percent of machine time in [start, end) spent running, judged by power as `warehouse.health` does. Pure."""
    usual = pl.DataFrame({"device_id": list(typical), "usual": list(typical.values())}, schema={"device_id": pl.Int32, "usual": pl.Float64})
    inside = pl.col("bucket").is_between(start.astimezone(UTC), end.astimezone(UTC), closed="left")
    rows = power.filter(inside, pl.col("device_id").is_in(sorted(counted))).join(usual, on="device_id")
    return None if not rows.height else 100 * rows.select((pl.col("power_w") >= pl.col("usual") * RUNNING_ABOVE).mean()).item()


def machines_card(data: Data, counted: set[int], local: Local) -> str:
    """How many are there, and what do they do."""
    states = {name: sum(m.state == name for m in data.machines) for name in ui.STATE_WORDS}
    online = len(data.machines) - states["offline"]
    legend = "".join(ui.link(f"/machines?state={name}", f"{ui.state(name)}<b>{n}</b>") for name, n in states.items())
    foot = "—"
    if data.power:
        day = timedelta(days=1)
        today = running_share(data.power.value, data.typical, counted, local.midnight, local.now)
        before = running_share(data.power.value, data.typical, counted, local.midnight - day, local.now - day)
        foot = f"{fmt.num(today, 2)} %" if today is not None else "—"
        foot += f" · yesterday {fmt.num(before, 2)} %" if before is not None else ""
    return (
        f'<div class="card">{ui.section("Machines", ui.link("/machines", "All machines"))}'
        f'<div class="row"><span class="big" data-fact="online">{online}'
        f'<small class="mute"> of {len(data.machines)} online</small></span></div>'
        f'{ui.stack(states)}<div class="legend">{legend}</div>'
        f'<div class="foot-line"><span>Running time today</span><b>{foot}</b></div></div>'
    )


def alerts_card(data: Data) -> str:
    """How many are open, and how bad."""
    found = ui.by_severity(data.alerts)
    lines = "".join(ui.link(f"/alerts?severity={s}", f"{ui.severity(s)}<b>{n}</b>") for s, n in found.items())
    new = sum(a.status == "new" for a in data.alerts)
    fact = f"{new} not acknowledged" if new else "all acknowledged" if data.alerts else "nothing is wrong"
    return (
        f'<div class="card">{ui.section("Active alerts", ui.link("/alerts", "All alerts"))}'
        f'<div class="row"><span class="big" data-fact="alerts">{len(data.alerts)}</span><small>{fact}</small></div>'
        f'{ui.stack(found)}<div class="legend">{lines}</div>'
        f'<div class="foot-line"><span>Raised today</span><b>{data.raised_today} · yesterday {data.raised_yesterday}</b></div></div>'
    )


def power_card(data: Data, counted: set[int], local: Local) -> str:
    """What the plant draws, and how today compares."""
    now_kw = sum(m.power_w or 0 for m in data.machines if m.id in counted) / 1000
    top = f'<div class="card">{ui.section("Power")}<div class="row"><span class="big" data-fact="power">{fmt.num(now_kw)}<u>kW</u></span>'
    measuring = sum(m.power_w is not None for m in data.machines if m.id in counted)
    top += f"<small>{fmt.plural(measuring, 'machine')} measured</small></div>"
    if data.summary is None or data.power is None:
        return (
            top
            + ui.state_panel("error small", "high", "Energy cannot be read now", "The history store does not answer; trying again.")
            + "</div>"
        )
    today, _ = plant_series(data.power.value, counted, local)
    used, before = data.summary.value.energy_today_kwh, data.summary.value.energy_yesterday_kwh
    change = fmt.percent_change(used, before)
    amount = energy_words(before, " ") + (f" · {change}" if change else "")
    line = ui.spark([kw for _, kw in today[-36:]], "Plant power, last 6 hours")
    return (
        f'{top}{line}<div class="lines"><span>Today so far<b data-fact="energy-today">{energy_words(used, "")}</b></span></div>'
        f'<div class="foot-line"><span>Yesterday by {local.clock}</span><b>{amount}</b></div></div>'
    )


def energy_words(kwh: float | None, gap: str = "") -> str:
    """Energy with its unit: as HTML, or with a gap as text; a dash where none is known."""
    if kwh is None:
        return "—"
    value, unit = (kwh / 1000, "MWh") if kwh >= 100_000 else (kwh, "kWh")
    return f"{fmt.num(value)}{gap}{unit}" if gap else f"{fmt.num(value)}<u>{unit}</u>"


def health_card(data: Data) -> str:
    """The spec's score as deductions, so that one sees what would raise it."""
    alerts = ui.by_severity(data.alerts)
    silent = sum(m.is_offline for m in data.machines)
    # As the API and the hourly record have it, so that all three tell the same.
    whole = factory_health((m.alerts, m.is_offline, m.importance) for m in data.machines)
    lost, score = whole.deductions, whole.score
    words = {
        "critical": fmt.plural(alerts["critical"], "critical alert"),
        "high": fmt.plural(alerts["high"], "high alert"),
        "offline": fmt.plural(silent, "silent machine"),
    }
    target = {"critical": "/alerts?severity=critical", "high": "/alerts?severity=high", "offline": "/machines?state=offline"}
    rows = "".join(
        ui.link(target[i], f"<span>{ui.icon(i, ('high' if i == 'offline' else i) + '-f')} {words[i]}</span><b>−{points}</b>")
        for i, points in lost.items()
    )
    rows = rows or f"<span><span>{ui.icon('check')} Nothing takes points off</span></span>"
    verdict, tone = _verdict(score, is_critical=alerts["critical"] > 0)
    weakest = min((m for m in data.machines if m.health is not None), key=lambda m: (m.health, m.device_key), default=None)
    foot = ui.link(ui.machine_url(weakest.device_key), f"{escape(weakest.device_key)} · {weakest.health}") if weakest else "—"
    bar = ui.stack({"running": score, **lost}) if score else ui.stack(lost)
    return (
        f'<div class="card">{ui.section("Plant health")}'
        f'<div class="row"><span class="big" data-fact="health">{score}<small class="mute"> / 100</small></span>'
        f'<span class="chip {tone}">{verdict}</span></div>'
        f'{bar}<div class="lines">{rows}</div><div class="foot-line"><span>Weakest machine</span><b>{foot}</b></div></div>'
    )


def _verdict(score: int, *, is_critical: bool) -> tuple[str, str]:
    """A word for the score, and the colour of its chip. Nothing is good while something is critical."""
    if score < 50:
        return "Critical", "critical"
    if score < 80 or is_critical:
        return "Needs attention", "high"
    return ("Good" if score >= 90 else "Fair"), ""


def areas(data: Data, counted: set[int]) -> str:
    """Where the power goes, largest area first."""
    by_area: dict[str, float] = {}
    for m in data.machines:
        if m.id in counted and m.power_w:
            by_area[m.region or "No area"] = by_area.get(m.region or "No area", 0) + m.power_w
    total = sum(by_area.values())
    if not total:
        return ui.state_panel("empty", "bolt", "No power measured", "Machines that send the parameter “power” appear here.")
    rows = "".join(
        ui.link(
            f"/machines?area={quote(area)}" if area != "No area" else "/machines",
            f'<span class="row"><b>{escape(area)}</b><span>{fmt.num(watts / 1000)}<u>kW</u></span></span>'
            f'<span class="bar"><i style="width:{100 * watts / max(by_area.values()):.0f}%"></i></span>',
        )
        for area, watts in sorted(by_area.items(), key=lambda item: -item[1])[:6]
    )
    return f'<div class="reasons">{rows}</div>'


def newest_alerts(data: Data, local: Local, most: int = NEWEST) -> str:
    """What came last."""
    newest = sorted(data.alerts, key=lambda a: a.triggered_at, reverse=True)[:most]
    if not newest:
        return ui.state_panel("ok", "check", "No active alerts", "Nothing needs you right now.")
    return '<div class="feed">' + "".join(ui.alert_row(a, local, compact=True) for a in newest) + "</div>"
