"""Is the plant well, and if not, where do I go first?"""

from datetime import timedelta

import streamlit as st

from dashboards import charts, fmt, frame, loads, session, ui, visits
from dashboards.fmt import Local
from dashboards.overview_cards import Data, alerts_card, areas, health_card, machines_card, newest_alerts, plant_series, power_card
from dashboards.overview_data import load
from dashboards.visits import Since
from warehouse.queries.energy import METER_KIND

WORST = 8


def power_chart(data: Data, counted: set[int], local: Local) -> None:
    """Plant power today over yesterday."""
    if data.power is None:
        ui.draw(
            ui.section("Plant power today"),
            ui.state_panel("error", "high", "Power cannot be read now", "The history store does not answer; trying again."),
        )
        return
    today, yesterday = plant_series(data.power.value, counted, local)
    peak = max(today, key=lambda point: point[1], default=None)
    note = f'<span class="hide-s">peak {fmt.num(peak[1])} kW at {peak[0]:%H:%M}</span>' if peak else ""
    ui.draw(ui.section("Plant power today", note))
    if not today and not yesterday:
        ui.draw(ui.state_panel("empty", "bolt", "No power measured yet", "The chart begins with the first reading of a parameter “power”."))
        return
    end = (local.midnight + timedelta(hours=36)).replace(hour=0)
    option = charts.plant_power(
        [[local.wall(at), round(kw, 2)] for at, kw in today],
        [[local.wall(at), round(kw, 2)] for at, kw in yesterday],
        local.wall(local.midnight),
        local.wall(end),
    )
    charts.show(option, 268, "power", "Plant power in kilowatts, today and yesterday, from midnight to midnight")


def draw(data: Data, since: Since, local: Local) -> None:
    """The page below its head."""
    if not data.machines:
        with st.container(key="card-empty"):
            text = "A machine appears by itself when its first message arrives. Its user and topic come from whoever runs the broker."
            ui.draw(ui.state_panel("empty", "machine", "No machines yet", text))
        return
    counted = {m.id for m in data.machines if m.kind != METER_KIND}
    if data.power is not None and data.power.is_stale:
        frame.stale_strip(local.time(data.power.loaded_at))
    with st.container(key="ov-cards"):
        ui.draw(
            '<div class="cards">',
            machines_card(data, counted, local),
            alerts_card(data),
            power_card(data, counted, local),
            health_card(data),
            "</div>",
        )
    with st.container(key="row-211"):
        wide, feed, changed = st.columns([2, 1, 1], gap="small")
    with wide, st.container(key="card-power", height="stretch"):
        power_chart(data, counted, local)
    with feed, st.container(key="card-feed", height="stretch"):
        ui.draw(
            ui.section("Newest alerts", ui.link("/alerts", f"All {len(data.alerts)}") if data.alerts else ""), newest_alerts(data, local)
        )
    with changed, st.container(key="card-changed", height="stretch"):
        ui.draw(visits.card(since, local))
    with st.container(key="row-31"):
        worst, where = st.columns([3, 1], gap="small")
    with where, st.container(key="card-areas", height="stretch"):
        ui.draw(ui.section("Where the power goes", "now, by area"), areas(data, counted))
    with worst, st.container(key="card-worst", height="stretch"):
        rows = data.machines[:WORST]
        trend = loads.trends(data.power.value, local.now) if data.power else {}
        ui.draw(
            ui.section("Machines that need you first", ui.link("/machines", f"All {len(data.machines)}")),
            ui.machine_list(rows, trend, local),
        )


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
