"""One machine: how is it now, and what led here?"""

from dataclasses import dataclass
from datetime import timedelta
from html import escape

import polars as pl
import streamlit as st

from dashboards import charts, fmt, frame, kpis, loads, machine_data, session, ui
from dashboards.charts import Limit, Marker, Panel
from dashboards.fmt import Local
from dashboards.machine_data import Live, Past
from warehouse.errors import NotFoundError, RetryableError
from warehouse.models.devices import Device
from warehouse.queries.alerts import AlertRow
from warehouse.queries.devices import DeviceRow
from warehouse.queries.energy import POWER
from warehouse.queries.live import LiveValue

MOST_PANELS = 4
FIRST_PANELS = 3
BAND_FROM = timedelta(minutes=10)
KEY_ALERTS = 3


@dataclass(frozen=True)
class Data:
    """What the page's frame needs; the moving parts load themselves."""

    device: Device
    row: DeviceRow | None
    """How it is now; None for an inactive machine."""


def load(factory_id: int, device_key: str) -> Data:
    """The machine of that key. Raises NotFoundError, also for machines of other factories."""
    device = machine_data.machine(factory_id, device_key)
    return Data(device, next((m for m in loads.machines(factory_id) if m.id == device.id), None))


def draw(data: Data) -> None:
    """Head, live values, chart, and at the side what is wrong and what it is."""
    device = data.device
    name = device.name if device.name and device.name != device.device_key else ""
    crumbs = f'<span class="crumb">{ui.link("/machines", "Machines")} {ui.icon("right")} {escape(device.region or "No area")}</span>'
    make = " ".join(part for part in (device.manufacturer, device.model) if part)
    facts = "".join(f'<span class="hide-s">{escape(part)}</span>' for part in (name, device.kind or "", make) if part)
    state = ui.state(data.row.state) if data.row else '<span class="state off">Not in use</span>'
    frame.header(device.device_key, crumbs, f'<div class="ident">{state}{facts}</div>')
    values(device.id)
    with st.container(key="machine-split"):
        left, right = st.columns([2.35, 1], gap="small")
        with left, st.container(key="card-history"):
            history(device.id)
        with right:
            side(device)


@st.fragment(run_every="1.8s")
def values(device_id: int) -> None:
    """The live values. A parameter that was never seen before appears here by itself."""
    local = session.local()
    found = machine_data.live(session.identity().factory_id, device_id, local.now)
    if any(v.is_kpi_selected for v in found.values):
        ui.draw(kpis.cards(found, local))
        return
    with st.container(key="card-novalues"):
        ui.draw(
            ui.state_panel(
                "empty", "clock", "Nothing received yet", "Values appear here with the machine's first message, without reloading."
            )
        )


@st.fragment(run_every="10s")
def history(device_id: int) -> None:
    """The chart with its choices."""
    who, local = session.identity(), session.local()
    live = machine_data.live(who.factory_id, device_id, local.now)
    numeric = {v.parameter_key: v for v in live.values if v.text is None}
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="tools"):
        ui.draw(ui.section("What led here"))
        span = st.segmented_control(
            "Range", list(machine_data.SPANS), default="12 h", required=True, label_visibility="collapsed", key="span"
        )
    if not numeric:
        ui.draw(ui.state_panel("empty", "clock", "No history yet", "The chart begins with the first number that this machine sends."))
        return
    chosen = choice(numeric, live, device_id)
    try:
        with frame.loading(f"history-{device_id}", 38, 92, 84, 88, 61):
            past = machine_data.past(who.factory_id, device_id, [*chosen, POWER], span, local.now)
    except RetryableError:
        ui.draw(
            ui.state_panel(
                "error",
                "high",
                "History cannot be read now",
                "The history store does not answer. Live values and alerts go on; trying again.",
            )
        )
        return
    if past.is_stale:
        frame.stale_strip(local.time(past.end))
    raised = machine_data.alerts_between(who.factory_id, device_id, past.start, past.end)
    draw_history(past, [numeric[key] for key in chosen], raised, live, local)
    draw_timeline(past, loads.typical(who.factory_id).get(device_id), span, local)


def choice(numeric: dict[str, LiveValue], live: Live, device_id: int) -> list[str]:
    """Which parameters to draw: first those of active alerts, then those with a limit, then by name; at most four."""
    wrong = {a.title for a in machine_data.active_alerts(session.identity().factory_id, device_id)}
    known = list(numeric)

    def rank(key: str) -> tuple[bool, bool, bool, int]:
        found = live.limits.get(key, [])
        return not any(limit.rule_name in wrong for limit in found), not found, not numeric[key].is_kpi_selected, known.index(key)

    ranked = sorted(numeric, key=rank)
    key = f"parameters-{device_id}"
    if key not in st.session_state:
        st.session_state[key] = ranked[:FIRST_PANELS]
    st.session_state[key] = [found for found in st.session_state[key] if found in numeric]
    chosen = st.multiselect(
        "Parameters",
        ranked,
        format_func=lambda found: kpis.name_of(numeric[found]) if found in numeric else found,
        max_selections=MOST_PANELS,
        label_visibility="collapsed",
        placeholder="Choose what to draw",
        key=key,
    )
    return chosen or ranked[:1]


def draw_history(past: Past, shown: list[LiveValue], raised: list[AlertRow], live: Live, local: Local) -> None:
    """Stacked panels on one clock, alerts marked where they were raised."""
    notable = raised[:KEY_ALERTS]
    if notable:
        marks = "".join(
            ui.link(
                ui.alert_url(a.id),
                f"{ui.icon(a.severity, a.severity + '-f')} {local.time(a.triggered_at)} {escape(a.title)}",
                f"{a.severity}-t",
            )
            for a in notable
        )
        rest = f"<span>and {len(raised) - KEY_ALERTS} earlier</span>" if len(raised) > KEY_ALERTS else ""
        ui.draw(f'<div class="key">{marks}{rest}</div>')
    panels = [panel(past, v, raised, live, local) for v in shown]
    if not any(found.points for found in panels):
        ui.draw(ui.state_panel("empty", "clock", "Nothing measured in this time", "Choose a longer range, or other parameters."))
        return
    if any(found.lowest for found in panels):
        step = fmt.span(past.step.total_seconds())
        ui.draw(f'<div class="key"><span><i class="band"></i>Lowest to highest of each {step}; line: mean</span></div>')
    option, height = charts.panels(panels, local.wall(past.start), local.wall(past.end), local)
    names = ", ".join(kpis.name_of(v) for v in shown)
    charts.show(option, height, "history", f"{names} over time, with limits and alerts")


def panel(past: Past, v: LiveValue, raised: list[AlertRow], live: Live, local: Local) -> Panel:
    """One parameter: its line, its limits and the alerts that it took part in."""
    rows = past.frame.filter(pl.col("parameter") == v.parameter_key)
    usual = live.usual.get(v.parameter_key)
    is_kw = v.unit == "W" and usual is not None and usual.greatest >= 1000
    factor, unit = (0.001, "kW") if is_kw else (1, v.unit)
    points = charts.points(rows, "mean", local, factor)
    is_coarse = past.step >= BAND_FROM
    markers = []
    for alert in (a for a in raised if any(limit.rule_name == a.title for limit in live.limits.get(v.parameter_key, []))):
        measured = alert.telemetry_snapshot.get(v.parameter_key)
        if isinstance(measured, int | float):
            markers.append(Marker(alert.triggered_at, _short(measured * factor), alert.severity))
    known = [value for _, value in points if value is not None]
    limits = [
        Limit(
            limit.threshold * factor,
            f"{limit.severity.capitalize()} {'above' if limit.is_upper else 'below'} {fmt.exact(limit.threshold * factor)} {unit}".strip(),
            limit.severity,
        )
        for limit in live.limits.get(v.parameter_key, [])
        if known and _is_near(limit.threshold * factor, known)
    ]
    return Panel(
        f"{kpis.name_of(v)}{', ' + unit if unit else ''}",
        points,
        tuple(markers),
        tuple(limits),
        *(charts.points(rows, side, local, factor) if is_coarse else [] for side in ("min", "max")),
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _is_near(limit: float, known: list[float]) -> bool:
    """A limit far away would press the line flat."""
    low, high = min(known), max(known)
    reach = max(high - low, abs(high) * 0.1) * 2
    return low - reach <= limit <= high + reach


def draw_timeline(past: Past, typical_w: float | None, span: str, local: Local) -> None:
    """What the machine did, as a bar under the chart's clock."""
    if not typical_w:
        return
    parts = machine_data.states(past.frame, typical_w, past.start, past.end, past.step)
    bar = "".join(
        f'<i class="bg-{name}" style="flex:{seconds:.0f}" title="{ui.STATE_WORDS[name]}, {fmt.span(seconds)}"></i>'
        for name, seconds in parts
    )
    total = {name: sum(seconds for found, seconds in parts if found == name) for name in ("running", "idle", "off", "offline")}
    words = "".join(
        f'<span><i class="bg-{n}"></i>{ui.STATE_WORDS[n]} {fmt.span(seconds)}</span>' for n, seconds in total.items() if seconds >= 1
    )
    label = f"States, last {span}, until {local.time(past.end)}"
    ui.draw(f'<div class="tl" role="img" aria-label="{label}">{bar}</div><div class="key" style="margin-top:8px">{words}</div>')


@st.fragment(run_every="10s")
def side(device: Device) -> None:
    """What is wrong here, and what this machine is."""
    who, local = session.identity(), session.local()
    alerts = machine_data.active_alerts(who.factory_id, device.id)
    with st.container(key="card-malerts"):
        every = ui.link(f"/alerts?status=all&machine={device.device_key}", "History")
        body = "".join(ui.alert_row(a, local) for a in alerts)
        nothing = ui.state_panel("ok small", "check", "No active alerts", "Nothing is wrong with this machine.")
        ui.draw(ui.section("Active alerts here", every), f'<div class="feed">{body}</div>' if alerts else nothing)
    with st.container(key="card-facts"):
        ui.draw(ui.section("This machine"), facts(device, local))


def facts(device: Device, local: Local) -> str:
    """What it is and what it did today."""
    who = session.identity()
    row = next((m for m in loads.machines(who.factory_id) if m.id == device.id), None)
    kwh = machine_data.energy_today_kwh(who.factory_id, device.id, local.midnight)
    typical = loads.typical(who.factory_id).get(device.id)
    usual, unit = ui.power(typical)
    known = (
        ("Health", f"{row.health} of 100" if row and row.health is not None else "unknown while silent"),
        ("Energy today", f"{fmt.num(kwh)} kWh" if kwh is not None else ""),
        ("Draws while working", f"{usual} {unit}" if typical else ""),
        ("Name", device.name or ""),
        ("Kind", device.kind or ""),
        ("Maker", device.manufacturer or ""),
        ("Model", device.model or ""),
        ("Area", device.region or ""),
        ("Last message", local.ago(row.last_seen) if row and row.last_seen else "never"),
        ("Known since", f"{local.here(device.created_at):%-d %b %Y}"),
    )
    return '<dl class="facts">' + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in known if text) + "</dl>"


def not_found() -> None:
    """The same answer for a machine that never was and for one of another factory."""
    frame.header("Machine")
    with st.container(key="card-notfound"):
        back = ui.link("/machines", "All machines")
        ui.draw(
            ui.state_panel(
                "empty", "machine", "There is no such machine here", "The link may be old, or it belongs to another factory.", back
            )
        )


try:
    found = load(session.identity().factory_id, st.query_params.get("device", ""))
except NotFoundError:
    not_found()
else:
    draw(found)
frame.tabbar("machines")
