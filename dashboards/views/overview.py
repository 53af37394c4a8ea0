"""Is the plant well, and if not, where do I go first?"""

import streamlit as st

from dashboards import charts, frame, session, ui, visits
from dashboards.fmt import Local
from dashboards.overview_cards import Data
from dashboards.overview_data import load
from dashboards.overview_shown import shown
from dashboards.visits import Since

POWER_ALT = "Plant power in kilowatts, today and yesterday, from midnight to midnight"


def draw(data: Data, since: Since, local: Local) -> None:
    """The page below its head."""
    if not data.machines:
        with st.container(key="card-empty"):
            text = "A machine appears by itself when its first message arrives. Its user and topic come from whoever runs the broker."
            ui.draw(ui.state_panel("empty", "machine", "No machines yet", text))
        return
    parts = shown(data, session.identity().factory_id, local)
    if data.power is not None and data.power.is_stale:
        frame.stale_strip(local.time(data.power.loaded_at))
    with st.container(key="ov-cards"):
        ui.draw(parts.cards)
    with st.container(key="row-211"):
        wide, feed, changed = st.columns([2, 1, 1], gap="small")
    with wide, st.container(key="card-power", height="stretch"):
        ui.draw(parts.power_head)
        if parts.power is not None:
            charts.show(parts.power, 268, "power", POWER_ALT)
    with feed, st.container(key="card-feed", height="stretch"):
        ui.draw(parts.newest)
    with changed, st.container(key="card-changed", height="stretch"):
        ui.draw(visits.card(since, local))
    with st.container(key="row-31"):
        worst, where = st.columns([3, 1], gap="small")
    with where, st.container(key="card-areas", height="stretch"):
        ui.draw(parts.areas)
    with worst, st.container(key="card-worst", height="stretch"):
        ui.draw(parts.worst)


@st.fragment(run_every="5s")
def live() -> None:
    """Loads and draws again by itself."""
    local = session.local()
    with frame.loading("overview", 100, 100, 62, 100, 84, 92):
        data = load(session.identity().factory_id, session.identity().timezone, local)
        since = visits.since_last_visit(session.identity().factory_id, data.machines)
    draw(data, since, local)


if st.query_params.get("wall") == "1":
    st.switch_page("views/wall.py")
frame.header("Overview", note=f'<span class="hide-s">{ui.link("/wall", "Show on the wall", "act-link to-wall")}</span>')
live()
frame.tabbar("overview")
