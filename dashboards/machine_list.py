"""The list of machines: searched, filtered, sorted, fifty at a time, drawn again by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboards import cache, forms, frame, loads, resources, session, ui
from dashboards.fmt import Local
from ingest.registration import devices_of
from warehouse.device_changes import change_device
from warehouse.errors import RetryableError
from warehouse.models.devices import Device
from warehouse.queries.devices import DeviceRow
from warehouse.strangers import Stranger, strangers

PAGE_SIZE: Final = 50
HEALTH: Final = {"bad": "Health below 50", "poor": "Health 50 to 69", "good": "Health 70 and more"}
SORTS: Final = {
    "worst": "Worst first",
    "name": "By name",
    "area": "By area",
    "power": "Most power first",
    "alerts": "Most alerts first",
    "seen": "Last heard first",
}
_ORDER: Final[dict[str, Callable[[DeviceRow], Any]]] = {
    "name": lambda m: m.device_key,
    "area": lambda m: (m.region == "", m.region, m.device_key),
    "power": lambda m: (-(m.power_w or 0), m.device_key),
    "alerts": lambda m: (-sum(m.alerts.values()), m.device_key),
    "seen": lambda m: (-(m.last_seen.timestamp() if m.last_seen else 0), m.device_key),
}


@dataclass(frozen=True)
class Filters:
    """What the person asked for; empty means all."""

    text: str = ""
    kind: str | None = None
    area: str | None = None
    states: tuple[str, ...] = ()
    health: str | None = None


@dataclass(frozen=True)
class Data:
    """Everything on this page. `power` is empty while the lake is away."""

    machines: list[DeviceRow]
    power: pl.DataFrame


def load(factory_id: int, timezone: str) -> Data:
    """All machines of the factory, worst first."""
    try:
        power = loads.power_two_days(factory_id, timezone).value
    except RetryableError:
        power = pl.DataFrame(schema={"device_id": pl.Int32, "bucket": pl.Datetime("us", "UTC"), "power_w": pl.Float64})
    return Data(loads.machines(factory_id), power)


def unknown(factory_id: int) -> list[Stranger]:
    """Machines that send and that nobody registered; at most 5 s old."""
    inst = resources.installation()
    return cache.ask(("strangers",), factory_id, 5, lambda: strangers(inst.db, factory_id)).value


def level_of(health: int | None) -> str | None:
    """One of HEALTH; None while it is unknown. Pure."""
    return None if health is None else "bad" if health < 50 else "poor" if health < 70 else "good"


def matching(machines: Sequence[DeviceRow], wanted: Filters) -> list[DeviceRow]:
    """The machines that fit all filters, in the order given; pure."""
    words = wanted.text.lower().split()

    def fits(m: DeviceRow) -> bool:
        said = f"{m.device_key} {m.name} {m.kind} {m.region} {m.manufacturer} {m.model}".lower()
        return (
            all(word in said for word in words)
            and wanted.kind in {None, m.kind}
            and wanted.area in {None, m.region}
            and (not wanted.states or m.state in wanted.states)
            and wanted.health in {None, level_of(m.health)}
        )

    return [m for m in machines if fits(m)]


def ordered(machines: Sequence[DeviceRow], by: str) -> list[DeviceRow]:
    """In the order of SORTS; `worst` is the order in which they come. Pure."""
    return sorted(machines, key=_ORDER[by]) if by in _ORDER else list(machines)


def filters(machines: Sequence[DeviceRow]) -> tuple[Filters, str]:
    """The row of filters and the order. All but the search are in the address, so that a link can carry them."""
    kinds, areas = sorted({m.kind for m in machines if m.kind}), sorted({m.region for m in machines if m.region})
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        text = st.text_input(
            "Search", placeholder="Search name, kind, maker", label_visibility="collapsed", width=220, key="machines-q", live=True
        )
        kind = _choice("Kind", "All kinds", kinds, "kind")
        area = _choice("Area", "All areas", areas, "area")
        health = _choice("Health", "Any health", list(HEALTH), "health", HEALTH)
        sort = _choice("Order", SORTS["worst"], list(SORTS)[1:], "sort", SORTS)
        states = st.pills(
            "Status",
            list(ui.STATE_WORDS),
            format_func=lambda s: f"{ui.STATE_WORDS[s]} {sum(m.state == s for m in machines)}",
            selection_mode="multi",
            label_visibility="collapsed",
            **ui.in_url("state", list(ui.STATE_WORDS), many=True),
        )
    return Filters(text or "", kind, area, tuple(states), health), sort or "worst"


def _choice(label: str, nothing: str, options: list[str], name: str, words: dict[str, str] | None = None) -> str | None:
    return st.selectbox(
        label,
        options,
        format_func=words.__getitem__ if words else str,
        placeholder=nothing,
        label_visibility="collapsed",
        width=150,
        **ui.in_url(name, options),
    )


def draw(data: Data, shown: list[DeviceRow], sort: str, page: int, local: Local) -> None:
    """The list below the filters; `shown` is in the order `sort`, `page` from 1."""
    if not data.machines:
        text = "Add the first one, import a list, or let a machine send: what nobody registered appears under “Seen but unknown”."
        ui.draw(ui.state_panel("empty", "machine", "No machines yet", text, ui.link("/machines?tab=add", "Add a machine")))
        return
    if not shown:
        clear = ui.link("/machines", "Clear the filters")
        ui.draw(ui.state_panel("empty", "machine", "No machine matches", "Nothing fits the search and all filters together.", clear))
        return
    first = (page - 1) * PAGE_SIZE
    part = shown[first : first + PAGE_SIZE]
    which = f"{first + 1} to {first + len(part)} of {len(shown):,}" if len(shown) > PAGE_SIZE else f"{len(shown)}"
    trends = loads.trends(data.power, local.now, [m.id for m in part])
    ui.draw(
        f'<div class="row"><small>{which} of {len(data.machines):,} machines, {SORTS[sort].lower()}</small></div>',
        ui.machine_list(part, trends, local),
    )


@st.fragment(run_every="5s")
def live() -> None:
    """The filters and the list; draws again by itself."""
    who, local = session.identity(), session.local()
    with frame.loading("machines", 62, 100, 92, 100, 84, 92):
        data = load(who.factory_id, who.timezone)
    with st.container(key="card-machines"):
        wanted, sort = filters(data.machines)
        shown = ordered(matching(data.machines, wanted), sort)
        draw(data, shown, sort, paging(len(shown), wanted), local)


def paging(count: int, wanted: Filters) -> int:
    """Which page is asked for, from 1; another search begins at the first one."""
    pages = -(-count // PAGE_SIZE)
    if pages <= 1:
        return 1
    return min(st.pagination(pages, key=f"machines-page-{wanted}"), pages)


def switched_off() -> None:
    """Machines that are not in use: their history stays, and they can be switched on again."""
    who, inst = session.identity(), resources.installation()
    found = [device for device in devices_of(inst.db, who.factory_id) if not device.is_active]
    with st.container(key="card-off"):
        ui.draw(ui.section("Switched off", f"{len(found)}" if found else ""))
        if not found:
            text = "A machine that is switched off on its page is refused by the broker and appears here; its history stays."
            ui.draw(ui.state_panel("ok", "check", "Every machine is in use", text))
        for device in found:
            _off_row(device)


def _off_row(device: Device) -> None:
    who, inst = session.identity(), resources.installation()
    with st.container(horizontal=True, vertical_alignment="center", key=f"line-off-{device.id}"):
        title = ui.link(ui.machine_url(device.device_key), f"<b>{ui.escaped(device.device_key)}</b>")
        facts = " · ".join(ui.escaped(part) for part in (device.name, device.kind, device.region) if part)
        ui.draw(f'<div class="said">{title}<small>{facts}</small></div>')
        if who.may_work and st.button("Switch on", key=f"on-{device.id}"):
            change = {"is_active": True}
            forms.attempt(
                lambda: change_device(inst.db, inst.clock, forms.actor(), device.id, change, "device.activate"), "It may send again"
            )
