"""One machine: how is it now, what led here, what was done to it, and how is it set up?"""

from dataclasses import dataclass
from html import escape

import streamlit as st

from dashboards import cache, device_keys, forms, frame, kpis, letters, loads, machine_data, session, ui
from dashboards.machine_history import history
from dashboards.machine_parameters import parameters
from dashboards.machine_settings import settings
from dashboards.machine_side import side
from dashboards.machine_upkeep import upkeep
from warehouse.errors import NotFoundError
from warehouse.models.devices import Device
from warehouse.queries.devices import DeviceRow

TABS = {"": "Now", "values": "Values", "upkeep": "Upkeep", "refused": "Refused messages", "setup": "Setup and key"}


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
    """Head, tabs and the tab that was asked for."""
    device = data.device
    name = device.name if device.name and device.name != device.device_key else ""
    crumbs = f'<span class="crumb">{ui.link("/machines", "Machines")} {ui.icon("right")} {escape(device.region or "No area")}</span>'
    make = " ".join(part for part in (device.manufacturer, device.model) if part)
    facts = "".join(f'<span class="hide-s">{escape(part)}</span>' for part in (name, device.kind or "", make) if part)
    state = ui.state(data.row.state) if data.row else '<span class="state off">Switched off</span>'
    frame.header(device.device_key, crumbs, f'<div class="ident">{state}{facts}</div>')
    tab = forms.current_tab(TABS)
    forms.tabs("/machine", TABS, tab, device=device.device_key)
    device_keys.show_once(device.device_key)
    if tab == "values":
        parameters(device)
    elif tab == "upkeep":
        upkeep(device)
    elif tab == "refused":
        letters.page(device.device_key)
    elif tab == "setup":
        settings(device)
    else:
        now(device)


def now(device: Device) -> None:
    """Live values, chart, and at the side what is wrong and what it is."""
    values(device.id)
    with st.container(key="machine-split"):
        left, right = st.columns([2.35, 1], gap="small")
        with left, st.container(key="card-history"):
            history(device)
        with right:
            side(device)


@st.fragment(run_every="1.8s")
def values(device_id: int) -> None:
    """The live values. A parameter that was never seen before appears here by itself."""
    local = session.local()
    found = machine_data.live(session.identity().factory_id, device_id, local.now)
    if any(v.is_kpi_selected for v in found.values):
        ui.draw(cache.ask(("cards", device_id), session.identity().factory_id, machine_data.LIVE_S, lambda: kpis.cards(found, local)).value)
        return
    with st.container(key="card-novalues"):
        if found.values:
            text = "None of this machine's values is chosen for its page; choose some under “Values”."
            ui.draw(ui.state_panel("empty", "clock", "Nothing is shown", text))
            return
        said = "Values appear here with the machine's first message, without reloading."
        ui.draw(ui.state_panel("empty", "clock", "Nothing received yet", said))


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
