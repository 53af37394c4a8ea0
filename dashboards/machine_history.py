"""The chart of a machine with its choices: what, over which time, beside what; and what it did meanwhile."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboards import availability_parts, cache, charts, fmt, frame, kpis, loads, machine_chart, machine_data, session, ui
from dashboards.fmt import Local
from dashboards.machine_chart import STACKED, TOGETHER, Drawn
from dashboards.machine_data import Live, Past, Wanted
from warehouse.errors import NotFoundError, RetryableError
from warehouse.models.devices import Device
from warehouse.queries.live import LiveValue

MOST_PANELS: Final = 4
FIRST_PANELS: Final = 3
SHOWN_S: Final = 9.0
"""A bit less than the chart's own pace: everybody who looks at the same range of a machine shares one drawing."""
OWN: Final = "Dates"
EARLIER: Final = {"A day before": timedelta(days=1), "A week before": timedelta(days=7)}


@st.fragment(run_every="10s")
def history(device: Device) -> None:
    """The chart with its choices; draws again by itself."""
    who, local = session.identity(), session.local()
    live = machine_data.live(who.factory_id, device.id, local.now)
    numeric = {v.parameter_key: v for v in live.values if v.text is None}
    span, own = _range(local)
    if not numeric:
        ui.draw(ui.state_panel("empty", "clock", "No history yet", "The chart begins with the first number that this machine sends."))
        return
    chosen = choice(numeric, live, device.id)
    beside, layout = _beside(device)
    wanted = Wanted(tuple(sorted(chosen)), span, own)
    try:
        with frame.loading(f"history-{device.id}", 38, 92, 84, 88, 61):
            past = machine_data.past(who.factory_id, device.id, wanted, local.now)
            other = _compared(who.factory_id, device.id, wanted, beside, local)
    except RetryableError:
        said = "The history store does not answer. Live values and alerts go on; trying again."
        ui.draw(ui.state_panel("error", "high", "History cannot be read now", said))
        return
    if past.is_stale:
        frame.stale_strip(local.time(past.end))
    raised = machine_data.alerts_between(who.factory_id, device.id, past.start, past.end)
    shown = [numeric[key] for key in chosen]
    marks = machine_data.marks(who.factory_id, device.id, past.start, past.end + ahead(past, own, local))
    end = draw_history(device.id, Drawn(wanted, past, shown, raised, beside, other, layout, marks), live, local)
    draw_timeline(device, past, (local.wall(past.end) - local.wall(past.start)) / (end - local.wall(past.start)))
    export(device, past, shown)


def ahead(past: Past, own: tuple[datetime, datetime] | None, local: Local) -> timedelta:
    """How far a forecast may reach beyond the range: a quarter of it, unless the range ends before now. Pure."""
    return timedelta(0) if own is not None and own[1] < local.now else (past.end - past.start) / 4


def _range(local: Local) -> tuple[str, tuple[datetime, datetime] | None]:
    """The head of the card with the picker of a span, and own dates."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="tools"):
        ui.draw(ui.section("What led here"))
        span = st.segmented_control(
            "Range", [*machine_data.SPANS, OWN], default="12 h", required=True, label_visibility="collapsed", key="span"
        )
    if span != OWN:
        return span, None
    today = local.now.date()
    first = st.date_input("From the first to the last day", (today - timedelta(days=1), today), max_value=today, key="own-dates")
    return "12 h", own_dates(first, local.zone)


def own_dates(chosen: date | tuple[date, ...] | None, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Whole days of the factory, both included; a single day while the second is not chosen yet. Pure."""
    days = chosen if isinstance(chosen, tuple) else (chosen,) if chosen else ()
    if not days:
        return None
    midnight = [datetime.combine(day, time(), zone).astimezone(UTC) for day in (days[0], days[-1] + timedelta(days=1))]
    return midnight[0], midnight[1]


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


def _beside(device: Device) -> tuple[str | None, str]:
    """What to compare with, and how to lay out the lines."""
    others = [m.device_key for m in loads.machines(session.identity().factory_id) if m.id != device.id]
    same = sorted(others, key=lambda key: (key[:3] != device.device_key[:3], key))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="beside"):
        chosen = st.selectbox(
            "Compare with",
            [*EARLIER, *same],
            index=None,
            placeholder="Compare with nothing",
            label_visibility="collapsed",
            width=220,
            key=f"beside-{device.id}",
        )
        layout = st.segmented_control(
            "Layout", [STACKED, TOGETHER], default=STACKED, required=True, label_visibility="collapsed", key="layout"
        )
    return chosen, layout


def _compared(factory_id: int, device_id: int, wanted: Wanted, beside: str | None, local: Local) -> Past | None:
    if beside is None:
        return None
    if beside in EARLIER:
        return machine_data.past(factory_id, device_id, replace(wanted, shift=EARLIER[beside]), local.now)
    try:
        other = machine_data.machine(factory_id, beside)
    except NotFoundError:
        return None  # it was deleted since the list was drawn
    return machine_data.past(factory_id, other.id, wanted, local.now)


def draw_history(device_id: int, drawn: Drawn, live: Live, local: Local) -> int:
    """The lines on one clock, with what the marks mean; gives the end of the clock in wall-clock milliseconds."""
    factory_id, theme = session.identity().factory_id, charts.theme()
    key = ("history shown", device_id, drawn.wanted, drawn.beside, drawn.layout, theme)
    chart = cache.ask(key, factory_id, SHOWN_S, lambda: machine_chart.made(drawn, live, local, theme)).value
    if chart.words:
        ui.draw(chart.words)
    if chart.option is None:
        ui.draw(ui.state_panel("empty", "clock", "Nothing measured in this time", "Choose a longer range, or other parameters."))
        return chart.end
    if chart.left_out:
        st.caption(f"Two axes carry two units: {', '.join(chart.left_out)} would need a third one and is left out.")
    charts.show(chart.option, chart.height, "history", f"{', '.join(chart.names)} over time, with limits and alerts")
    return chart.end


def draw_timeline(device: Device, past: Past, share: float) -> None:
    """What the machine did, as a bar under the part of the chart's clock that is past, and what follows for its availability."""
    factory_id = session.identity().factory_id
    found = machine_data.activity(factory_id, device.id, past.start, past.end, loads.typical(factory_id).get(device.id))
    if found is None:
        return
    times = found.times
    spent = {
        "running": times.running_s, "idle": times.idle_s, "fault": times.fault_s, "off": times.off_s, "nodata": times.nodata_s,
    }  # fmt: skip
    words = "".join(
        f'<span><i class="bg-{name}"></i>{availability_parts.WORDS[name]} {fmt.span(seconds)}</span>'
        for name, seconds in spent.items()
        if seconds >= 1
    )
    facts = [("Available", f"{fmt.num(100 * times.availability)} %" if times.availability is not None else "—")]
    facts += [("Stops", f"{times.stops:,}"), ("Failures", f"{times.failures:,}")]
    facts += [(word, fmt.span(value)) for word, value in (("Between failures", times.mtbf_s), ("To repair", times.mttr_s)) if value]
    said = "".join(f"<span>{word}<b>{value}</b></span>" for word, value in facts)
    ui.draw(
        f'<div class="until-now" style="--share:{share:.4f}">',
        availability_parts.strip(found.states, device.id, found.start, found.end, 192),
        "</div>",
        f'<div class="key" style="margin-top:8px">{words}</div><div class="facts-row under" data-fact="activity">{said}</div>',
    )


def export(device: Device, past: Past, shown: list[LiveValue]) -> None:
    """What is drawn as CSV, and every reading behind it."""
    keys = [v.parameter_key for v in shown]
    times = {"start": past.start.isoformat(), "end": past.end.isoformat(), "device_id": device.id}
    query = urlencode([*times.items(), *(("parameter", key) for key in keys)])
    days = (past.end - past.start).days + 1
    # Made once somebody asks for it, outside of this run, where nobody is signed in.
    local = session.local()
    with st.container(horizontal=True, vertical_alignment="center", key="exports"):
        st.download_button(
            "Chart as CSV",
            lambda: as_csv(past.frame, keys, local),
            f"{device.device_key}-{past.start:%Y%m%d}-{past.end:%Y%m%d}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"csv-{device.id}",
        )
        if days <= 92:
            ui.draw(
                f'<a class="act-link" href="/api/v1/telemetry/export?{escape(query, quote=True)}" target="_self">All readings as CSV</a>'
            )


def as_csv(frame: pl.DataFrame, keys: list[str], local: Local) -> str:
    """One row a bucket with a column for each parameter, on the factory's clock; pure."""
    rows = frame.filter(pl.col("mean").is_not_null(), pl.col("parameter").is_in(keys))
    wide = rows.pivot("parameter", index="bucket", values="mean").sort("bucket")
    at = pl.col("bucket").dt.convert_time_zone(local.zone.key).dt.strftime("%Y-%m-%d %H:%M:%S%:z").alias("time")
    return wide.select(at, *(key for key in keys if key in wide.columns)).write_csv()
