"""Which machines were not there when they were needed, and why?"""

import streamlit as st

from dashboards import availability_data, availability_parts, fmt, frame, session, ui
from dashboards.availability_data import RANGES, Data
from dashboards.fmt import Local
from warehouse.errors import RetryableError


def draw(data: Data, local: Local) -> None:
    """The page below its head."""
    if not data.machines:
        with st.container(key="card-empty"):
            ui.draw(ui.state_panel("empty", "machine", "No machines yet", "Availability appears when the first machine sends its power."))
        return
    if data.found.is_stale:
        frame.stale_strip(local.time(data.found.loaded_at))
    found = data.found.value
    ui.draw(availability_parts.cards(data))
    with st.container(key="row-31"):
        strips, why = st.columns([3, 1], gap="small")
    with strips, st.container(key="card-strips", height="stretch"):
        times = f"{local.time(found.start)} to {local.time(found.end)}"
        ui.draw(ui.section("Machines, least available first", times), availability_parts.key(), availability_parts.machines(data))
    with why, st.container(key="card-why", height="stretch"):
        lost = fmt.span(data.whole.fault_s) if data.whole.fault_s else ""
        ui.draw(ui.section("What took the time", lost), availability_parts.reasons(data))


@st.fragment(run_every="30s")
def live() -> None:
    """Loads and draws again by itself."""
    who, local = session.identity(), session.local()
    wanted = st.segmented_control(
        "Range", list(RANGES), required=True, label_visibility="collapsed", **ui.in_url("range", list(RANGES), default="24 h")
    )
    try:
        with frame.loading("availability", 100, 100, 62, 100, 84):
            data = availability_data.load(who.factory_id, local, wanted)
    except RetryableError:
        with st.container(key="card-away"):
            ui.draw(ui.state_panel("error", "high", "Availability cannot be read now", "The history store does not answer; trying again."))
        return
    draw(data, local)


frame.header("Availability")
live()
frame.tabbar("availability")
