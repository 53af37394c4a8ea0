"""For a screen on the wall: large, no controls, nothing personal; shows overview, alerts, machines and energy in turn."""

from datetime import timedelta
from typing import Any, Final

import streamlit as st

from dashboards import charts, fmt, loads, resources, session, ui, wall_parts
from dashboards.fmt import Local
from dashboards.frame import pulse_html
from dashboards.overview_cards import Data, alerts_card, areas, health_card, machines_card, newest_alerts, plant_series, power_card
from dashboards.overview_data import load
from warehouse.access.sessions import check_session, refresh_session
from warehouse.queries.energy import METER_KIND

TURN_S: Final = 15
TURNS: Final = ("Overview", "Alerts", "Machines", "Energy")
MOST_ALERTS, MOST_MACHINES = 7, 9
# How long before its end a wall's sign-in is made to live on. (Streamlit would show a docstring here on the page.)
RENEWED_BEFORE: Final = timedelta(hours=1)


def turn_of(seconds: float, only: str = "") -> int:
    """Which of TURNS is shown at a moment; `only`: one of them in lower case stays. Pure."""
    names = [name.lower() for name in TURNS]
    return names.index(only) if only in names else int(seconds // TURN_S) % len(TURNS)


@st.fragment(run_every=f"{TURN_S}s")
def wall() -> None:
    """One turn, drawn anew when the next one is due."""
    who, local = session.identity(), session.local()
    _stay_awake()
    turn = turn_of(resources.installation().clock.now().timestamp(), st.query_params.get("only", ""))
    data = load(who.factory_id, who.timezone, local)
    counted = {m.id for m in data.machines if m.kind != METER_KIND}
    with st.container(key="head", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        ui.draw(f'<div class="top on-wall"><h1>{TURNS[turn]}</h1></div>')
        ui.draw(f'<div class="ctx">{pulse_html()}</div>')
    # A container of its own for each turn: parts of the one before do not linger.
    with st.container(key=f"wall-{TURNS[turn].lower()}"):
        if not data.machines:
            ui.draw(wall_parts.nothing("machine", "No machines yet"))
        else:
            (_overview, _alerts, _machines, _energy)[turn](data, counted, local)
    ui.draw(wall_parts.steps(turn, len(TURNS)))


def _stay_awake() -> None:
    """A wall is used by being looked at: its sign-in does not end for idleness, only at the end of its life."""
    inst, who = resources.installation(), session.identity()
    token = st.context.cookies.get(session.COOKIE)
    if token:
        check_session(inst.db, inst.settings, inst.clock, token)
    ends = st.session_state.setdefault("wall-ends", who.expires_at)
    if ends - inst.clock.now() < RENEWED_BEFORE:
        renewed = refresh_session(inst.db, inst.settings, inst.clock, who).expires_at
        # At the end of its life nothing is gained any more, and asking each time would only fill the audit trail.
        st.session_state["wall-ends"] = renewed if renewed > ends else ends + timedelta(days=365)


def _overview(data: Data, counted: set[int], local: Local) -> None:
    ui.draw(
        '<div class="cards">', machines_card(data, counted, local), alerts_card(data), power_card(data, counted, local),
        health_card(data), "</div>",
    )  # fmt: skip
    left, right = st.columns([62, 38], gap="small")
    with left, st.container(key="card-wall-power"):
        ui.draw(ui.section("Plant power today"))
        _power(data, counted, local, 212)
    with right, st.container(key="card-wall-feed"):
        ui.draw(ui.section("Newest alerts"), newest_alerts(data, local, 4))


def _alerts(data: Data, _counted: set[int], local: Local) -> None:
    if not data.alerts:
        ui.draw(wall_parts.nothing("check", "No active alerts"))
        return
    with st.container(key="card-wall-alerts"):
        rest = f"and {len(data.alerts) - MOST_ALERTS} more" if len(data.alerts) > MOST_ALERTS else ""
        ui.draw(ui.section(f"{fmt.plural(len(data.alerts), 'active alert')}, worst first", rest))
        ui.draw('<div class="feed">', *(ui.alert_row(a, local) for a in data.alerts[:MOST_ALERTS]), "</div>")


def _machines(data: Data, counted: set[int], local: Local) -> None:
    shown = [m for m in data.machines if m.id in counted][:MOST_MACHINES]
    trends = loads.trends(data.power.value, local.now, [m.id for m in shown]) if data.power else {}
    with st.container(key="card-wall-machines"):
        rest = f"{len(shown)} of {len(counted)}, worst first" if len(counted) > len(shown) else "worst first"
        ui.draw(ui.section("Machines", rest), ui.machine_list(shown, trends, local))


def _energy(data: Data, counted: set[int], local: Local) -> None:
    left, right = st.columns([62, 38], gap="small")
    with left:
        with st.container(key="card-wall-power"):
            ui.draw(ui.section("Plant power today"))
            _power(data, counted, local, 330)
        ui.draw(f'<div class="wall-four">{wall_parts.energy_cards(data)}</div>')
    with right, st.container(key="card-wall-areas"):
        ui.draw(ui.section("Where the power goes", "now, by area"), areas(data, counted))


def _power(data: Data, counted: set[int], local: Local, height: int) -> None:
    """The chart as SVG: the page is zoomed, which blurs a canvas."""
    if data.power is None:
        ui.draw(ui.state_panel("error", "high", "Power cannot be read now", "The history store does not answer; trying again."))
        return
    today, yesterday = plant_series(data.power.value, counted, local)
    end = (local.midnight + timedelta(hours=36)).replace(hour=0)
    points: list[Any] = [[[local.wall(at), round(kw, 2)] for at, kw in line] for line in (today, yesterday)]
    option = charts.plant_power(points[0], points[1], local.wall(local.midnight), local.wall(end))
    alt = "Plant power in kilowatts, today and yesterday, from midnight to midnight"
    st.echarts_chart(option, height=height, key="wall-power", alt=alt, renderer="svg")


wall()
