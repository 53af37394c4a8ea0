"""Beside the chart of a machine: what is wrong, how likely it fails, what was done to it, and what it is."""

import json
from html import escape

import polars as pl
import streamlit as st

from dashboards import fmt, loads, machine_data, session, ui
from dashboards.fmt import Local
from dashboards.machine_upkeep import event_line
from warehouse.models.devices import Device


@st.fragment(run_every="10s")
def side(device: Device) -> None:
    """The cards, drawn again by themselves."""
    who, local = session.identity(), session.local()
    risk(device, local)
    alerts = machine_data.active_alerts(who.factory_id, device.id)
    with st.container(key="card-malerts"):
        every = ui.link(f"/alerts?status=all&machine={device.device_key}", "History")
        body = "".join(ui.alert_row(a, local) for a in alerts)
        nothing = ui.state_panel("ok small", "check", "No active alerts", "Nothing is wrong with this machine.")
        ui.draw(ui.section("Active alerts here", every), f'<div class="feed">{body}</div>' if alerts else nothing)
    with st.container(key="card-upkeep"):
        every = ui.link(f"{ui.machine_url(device.device_key)}&tab=upkeep", "All and add")
        events = machine_data.newest_events(who.factory_id, device.id)
        lines = "".join(event_line(event, local) for event in events)
        ui.draw(ui.section("Upkeep", every), lines or '<p class="mute">Nothing was written down yet.</p>')
    with st.container(key="card-facts"):
        ui.draw(ui.section("This machine"), facts(device, local))


def risk(device: Device, local: Local) -> None:
    """How likely it fails soon, as the newest analysis says; no card without one."""
    found = machine_data.risks(session.identity().factory_id, device.id, local.now)
    if found is None or found.is_empty():
        return
    row = found.sort("horizon_h").row(-1, named=True)
    with st.container(key="card-risk"):
        ui.draw(ui.section(f"Failure risk, next {fmt.span(row['horizon_h'] * 3600)}", ui.moment(row["ts"], local)), risk_body(row, found))


def risk_body(row: dict[str, object], every: pl.DataFrame) -> str:
    """The risk in percent, other horizons, the life that is left, and the reasons with their shares; numbers in, HTML out."""
    share = float(str(row["probability"]))
    level = "critical" if share >= 0.5 else "high" if share >= 0.2 else ""
    chip = f'<span class="chip {level}">{"High" if level else "Usual"}</span>'
    others = "".join(
        f"<span>Next {fmt.span(other['horizon_h'] * 3600)}<b>{fmt.num(100 * other['probability'], 2)} %</b></span>"
        for other in every.sort("horizon_h").iter_rows(named=True)
        if other["horizon_h"] != row["horizon_h"]
    )
    low, high = row["remaining_life_low_h"], row["remaining_life_high_h"]
    if isinstance(low, int | float) and isinstance(high, int | float):
        others += f"<span>Lasts probably<b>{fmt.span(low * 3600)} to {fmt.span(high * 3600)}</b></span>"
    reasons = reasons_of(row["reasons"])
    most = max((abs(weight) for _, weight in reasons), default=0) or 1
    bars = "".join(
        f'<div><span class="row"><b>{escape(text)}</b></span>'
        f'<span class="bar"><i style="width:{100 * abs(weight) / most:.0f}%"></i></span></div>'
        for text, weight in reasons[:4]
    )
    return (
        f'<div class="row"><span class="big" data-fact="risk">{fmt.num(100 * share, 2)}<u>%</u></span>{chip}</div>'
        f'<div class="lines">{others}</div>' + (f'<small>What raises it</small><div class="reasons">{bars}</div>' if bars else "")
    )


def reasons_of(told: object) -> list[tuple[str, float]]:
    """Reasons of a risk, the weightiest first: text and weight; none when they cannot be read. Pure."""
    try:
        found = json.loads(str(told)) if told else []
    except ValueError:
        return []
    pairs = []
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict):
            text = next((str(each[name]) for name in ("sentence", "text", "reason", "feature", "parameter") if each.get(name)), "")
            weight = next(
                (each[name] for name in ("share", "weight", "contribution", "value") if isinstance(each.get(name), int | float)), 0
            )
            pairs.append((text, float(weight)))
        elif isinstance(each, str):
            pairs.append((each, 0.0))
    return sorted((pair for pair in pairs if pair[0]), key=lambda pair: -abs(pair[1]))


def facts(device: Device, local: Local) -> str:
    """What it is and what it did today."""
    who = session.identity()
    row = next((m for m in loads.machines(who.factory_id) if m.id == device.id), None)
    kwh = machine_data.energy_today_kwh(who.factory_id, device.id, local.midnight)
    typical = loads.typical(who.factory_id).get(device.id)
    usual, unit = ui.power(typical)
    refused = machine_data.refused_messages(who.factory_id, device.device_key)
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
        ("Refused messages", f"{refused:,}" if refused else ""),
        ("Known since", f"{local.here(device.created_at):%-d %b %Y}"),
    )
    return '<dl class="facts">' + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in known if text) + "</dl>"
