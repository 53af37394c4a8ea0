"""Where does the energy go, what does it cost, and what of it is waste?"""

from datetime import timedelta

import polars as pl
import streamlit as st

from dashboards import bar_charts, charts, energy_data, energy_parts, fmt, frame, loads, session, ui
from dashboards.energy_data import RANGES, Data
from dashboards.fmt import Local
from warehouse.errors import RetryableError
from warehouse.queries.energy_use import BETWEEN_SHIFTS, by_shift

DAY = "24 h"


def hour_chart(data: Data, local: Local) -> tuple[list[str], dict[str, list[float]], list[float]]:
    """Energy an hour of the range, and of the same hours a day before; pure."""
    hours = [data.start + timedelta(hours=n) for n in range(int((data.end - data.start) / timedelta(hours=1)) + 1)]
    summed = dict(data.hours.group_by("bucket").agg(pl.col("kwh").sum()).iter_rows())
    at = [summed.get(hour, 0.0) for hour in hours]
    before = [summed.get(hour - RANGES[DAY], 0.0) for hour in hours]
    return [f"{local.here(hour):%H:%M}" for hour in hours], {"energy": at}, before


def day_chart(data: Data, local: Local) -> tuple[list[str], dict[str, list[float]], list[float]]:
    """Energy a production day and shift of the range, and the whole day's of the range before; pure."""
    days = (data.end - data.start).days
    found = {(day, shift): kwh for day, shift, kwh in by_shift(data.hours, data.clock).iter_rows()}
    last = local.here(data.end).date()
    shown = [last - timedelta(days=n) for n in range(days - 1, -1, -1)]
    names = {shift.name: shift.name for shift in data.clock.shifts}
    if any(shift == BETWEEN_SHIFTS and kwh for (_, shift), kwh in found.items()):
        names["between shifts"] = BETWEEN_SHIFTS
    amounts = {shown_name: [found.get((day, name), 0.0) for day in shown] for shown_name, name in names.items()}
    before = [sum(found.get((day - timedelta(days=days), name), 0.0) for name in names.values()) for day in shown]
    return [f"{day:%-d %b}" for day in shown], amounts, before


def chart(data: Data, local: Local, wanted: str) -> None:
    """Energy over time against the time before."""
    is_day = wanted == DAY
    steps, amounts, before = hour_chart(data, local) if is_day else day_chart(data, local)
    note = "the line is the day before" if is_day else f"by shift; the line is the {wanted.replace(' d', ' days')} before"
    ui.draw(ui.section("Energy an hour" if is_day else "Energy a day", f'<span class="hide-s">{note}</span>'))
    option = bar_charts.stacked(steps, amounts, "kWh", before)
    charts.show(option, 268, f"energy-{wanted}", f"Energy in kilowatt hours over {fmt.plural(len(steps), 'step')}, with the time before")


def draw(data: Data, local: Local, wanted: str) -> None:
    """The page below its head."""
    if data.compared.is_stale:
        frame.stale_strip(local.time(data.compared.loaded_at))
    ui.draw(energy_parts.cards(data, local))
    if not data.inside.height:
        with st.container(key="card-none"):
            text = "Machines that send the parameter “power” in watts appear here."
            ui.draw(ui.state_panel("empty", "bolt", "No energy was measured in this time", text))
        return
    with st.container(key="row-211"):
        wide, where, paid = st.columns([2, 1, 1], gap="small")
    with wide, st.container(key="card-chart", height="stretch"):
        chart(data, local, wanted)
    with where, st.container(key="card-areas", height="stretch"):
        ui.draw(ui.section("Where it goes", "by area"), energy_parts.areas(data))
    with paid, st.container(key="card-cost", height="stretch"):
        ui.draw(ui.section("Cost"), energy_parts.costs(data, local))
    with st.container(key="row-31"):
        most, idle = st.columns([3, 1], gap="small")
    with most, st.container(key="card-machines", height="stretch"):
        ui.draw(ui.section("Machines that use most", ui.link("/machines", "All machines")), energy_parts.machines(data))
    with idle, st.container(key="card-idle", height="stretch"):
        total = "" if data.states is None else energy_parts.plain(sum(data.idle_kwh().values()))
        ui.draw(ui.section("Drawn while idle", total), energy_parts.idling(data))


@st.fragment(run_every="30s")
def live() -> None:
    """Loads and draws again by itself."""
    who, local = session.identity(), session.local()
    wanted = st.segmented_control(
        "Range", list(RANGES), required=True, label_visibility="collapsed", **ui.in_url("range", list(RANGES), default="7 d")
    )
    try:
        with frame.loading("energy", 100, 100, 62, 100, 84):
            data = energy_data.load(who.factory_id, who.timezone, local, wanted)
    except RetryableError:
        with st.container(key="card-away"):
            ui.draw(ui.state_panel("error", "high", "Energy cannot be read now", "The history store does not answer; trying again."))
        return
    if not loads.machines(who.factory_id):
        with st.container(key="card-empty"):
            ui.draw(ui.state_panel("empty", "machine", "No machines yet", "Energy appears when the first machine sends its power."))
        return
    draw(data, local, wanted)


frame.header("Energy")
live()
frame.tabbar("energy")
