"""Find a machine, or find out which machines need work."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboards import frame, loads, session, ui
from dashboards.fmt import Local
from warehouse.errors import RetryableError
from warehouse.queries.devices import DeviceRow

PAGE_SIZE = 50


@dataclass(frozen=True)
class Filters:
    """What the person asked for; empty means all."""

    text: str = ""
    kind: str | None = None
    area: str | None = None
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """Everything on this page. `trends` is empty while the lake is away."""

    machines: list[DeviceRow]
    trends: dict[int, list[float | None]]


def load(factory_id: int, timezone: str, local: Local) -> Data:
    """All machines of the factory, worst first."""
    try:
        trends = loads.trends(loads.power_two_days(factory_id, timezone).value, local.now)
    except RetryableError:
        trends = {}
    return Data(loads.machines(factory_id), trends)


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
        )

    return [m for m in machines if fits(m)]


def filters(machines: Sequence[DeviceRow]) -> Filters:
    """The row of filters. All but the search are in the address, so that a link can carry them."""
    kinds, areas = sorted({m.kind for m in machines if m.kind}), sorted({m.region for m in machines if m.region})
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        text = st.text_input(
            "Search", placeholder="Search name, kind, maker", label_visibility="collapsed", width=240, key="machines-q", live=True
        )
        kind = st.selectbox("Kind", kinds, placeholder="All kinds", label_visibility="collapsed", width=160, **ui.in_url("kind", kinds))
        area = st.selectbox("Area", areas, placeholder="All areas", label_visibility="collapsed", width=160, **ui.in_url("area", areas))
        states = st.pills(
            "Status",
            list(ui.STATE_WORDS),
            format_func=lambda s: f"{ui.STATE_WORDS[s]} {sum(m.state == s for m in machines)}",
            selection_mode="multi",
            label_visibility="collapsed",
            **ui.in_url("state", list(ui.STATE_WORDS), many=True),
        )
    return Filters(text or "", kind, area, tuple(states))


def draw(data: Data, wanted: Filters, local: Local, page: int) -> None:
    """The list below the filters."""
    shown = matching(data.machines, wanted)
    if not data.machines:
        text = "A machine appears by itself when its first message arrives. Its user and topic come from whoever runs the broker."
        ui.draw(ui.state_panel("empty", "machine", "No machines yet", text))
    elif not shown:
        clear = ui.link("/machines", "Clear the filters")
        ui.draw(ui.state_panel("empty", "machine", "No machine matches", "Nothing fits the search and all filters together.", clear))
    else:
        first = min(page * PAGE_SIZE, (len(shown) - 1) // PAGE_SIZE * PAGE_SIZE)
        part = shown[first : first + PAGE_SIZE]
        which = f"{first + 1} to {first + len(part)} of {len(shown)}" if len(shown) > PAGE_SIZE else f"{len(shown)}"
        ui.draw(
            f'<div class="row"><small>{which} of {len(data.machines)} machines, worst first</small></div>',
            ui.machine_list(part, data.trends, local),
        )


@st.fragment(run_every="5s")
def live() -> None:
    """The filters and the list; draws again by itself."""
    who, local = session.identity(), session.local()
    with frame.loading("machines", 62, 100, 92, 100, 84, 92):
        data = load(who.factory_id, who.timezone, local)
    with st.container(key="card-machines"):
        wanted = filters(data.machines)
        pages = (len(matching(data.machines, wanted)) - 1) // PAGE_SIZE + 1
        page = 0
        if pages > 1:
            page = st.segmented_control(
                "Page", range(pages), format_func=lambda p: str(p + 1), default=0, required=True, label_visibility="collapsed"
            )
        draw(data, wanted, local, page)


frame.header("Machines")
live()
frame.tabbar("machines")
