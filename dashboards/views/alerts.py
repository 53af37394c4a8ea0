"""Work through what is wrong: a list to pick from, and all that is known about one."""

from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboards import alert_data, alert_parts, charts, fmt, frame, kpis, loads, session, ui
from dashboards.alert_actions import actions
from dashboards.alert_bulk import several
from dashboards.alert_data import Detail, Filters, Line
from dashboards.alert_quality import quality
from dashboards.alert_quiet import quiet
from dashboards.alert_wishes import wishes
from dashboards.charts import Limit, Panel, Raised
from dashboards.fmt import Local
from warehouse.errors import NotFoundError
from warehouse.queries.alerts import AlertRow
from warehouse.terms import SEVERITIES

STATUSES = {"active": "Active", "new": "Not acknowledged", "acknowledged": "Acknowledged", "resolved": "Resolved", "all": "All"}
TABS = {"": "Alerts", "quality": "Alarm quality", "silences": "Silences", "messages": "My messages"}


def filters() -> Filters:
    """Severity is drawn above the list with its counts; the others in one row. All are in the address."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="afilter"):
        text = st.text_input(
            "Search",
            placeholder="Machine or alert",
            label_visibility="collapsed",
            icon=":material/search:",
            live=True,
            **in_text("q"),
        )
        status = st.selectbox(
            "Status",
            list(STATUSES),
            format_func=STATUSES.__getitem__,
            placeholder="Active",
            label_visibility="collapsed",
            width=160,
            **ui.in_url("status", list(STATUSES)),
        )
    return Filters(status or "active", None, text or "", st.query_params.get("machine"))


def in_text(name: str) -> dict[str, Any]:
    """As `ui.in_url`, for a text."""
    asked = st.query_params.get(name, "")
    if name not in st.session_state or st.session_state.get(f"url-{name}") != asked:
        st.session_state[name] = st.session_state[f"url-{name}"] = asked

    def write() -> None:
        st.session_state[f"url-{name}"] = st.session_state[name]
        if st.session_state[name]:
            st.query_params[name] = st.session_state[name]
        elif name in st.query_params:
            del st.query_params[name]

    return {"key": name, "on_change": write}


def kept(wanted: Filters) -> str:
    """The filters as a query string, for links to other alerts of the list."""
    parts = {
        "severity": wanted.severity,
        "status": wanted.status if wanted.status != "active" else None,
        "q": wanted.text,
        "machine": wanted.device_key,
    }
    return urlencode({name: value for name, value in parts.items() if value})


@st.fragment(run_every="5s")
def page() -> None:
    """List and detail; draws again by itself, so that a new alert shows within seconds."""
    who, local = session.identity(), session.local()
    # Links in messages of earlier versions say `alert`.
    asked = st.query_params.get("id", st.query_params.get("alert", ""))
    with st.container(key="alerts-split-one" if asked else "alerts-split"):
        left, right = st.columns([1, 1.25], gap="small")
        with left, st.container(key="card-list"):
            shown, picked = picking(who.factory_id, asked, local)
        with right:
            if picked is None and asked:
                missing()
            elif picked is not None:
                detail(who.factory_id, picked, local, is_alone=bool(asked))
            elif not shown and not st.query_params:
                well(who.factory_id, local)


def picking(factory_id: int, asked: str, local: Local) -> tuple[list[AlertRow], int | None]:
    """Filters and list; which alerts are shown, and the id of the one to explain: the one asked for, or the first."""
    top = st.container()
    wanted = filters()
    found = alert_data.rows(factory_id, wanted)
    number = ui.by_severity(found)
    with top:
        level = st.segmented_control(
            "Severity",
            list(SEVERITIES),
            format_func=lambda s: f"{s.capitalize()} {number[s]}",
            label_visibility="collapsed",
            width="stretch",
            **ui.in_url("severity", SEVERITIES),
        )
    shown = [a for a in found if level in {None, a.severity}]
    chosen = int(asked) if asked.isdecimal() and len(asked) < 12 else None if asked else shown[0].id if shown else None
    if wanted.device_key:
        only = f"Only machine {escape(wanted.device_key)}"
        ui.draw(f'<div class="row"><small>{only}</small>{ui.link("/alerts", "Show all machines", "act-link")}</div>')
    keep = kept(Filters(wanted.status, level, wanted.text, wanted.device_key))
    is_several = bool(shown) and session.identity().may_work and st.toggle("Select several", key="alerts-several")
    if is_several:
        several(shown, local)
    elif shown:
        ui.draw('<div class="feed">', *(ui.alert_row(a, local, keep=keep, is_picked=a.id == chosen) for a in shown), "</div>")
        if len(found) >= alert_data.MOST_ROWS:
            ui.draw(f'<div class="row"><small>The first {alert_data.MOST_ROWS}; search or filter to see others.</small></div>')
    elif wanted.text or level or wanted.device_key or wanted.status != "active":
        clear = ui.link("/alerts", "Clear the filters")
        ui.draw(ui.state_panel("empty", "search", "No alert matches", "Nothing fits the search and all filters together.", clear))
    else:
        ui.draw(ui.state_panel("ok", "check", "No active alerts", "Nothing needs you right now."))
    return shown, chosen


def missing() -> None:
    """The same answer for an alert that never was and for one of another factory."""
    with st.container(key="card-detail"):
        ui.draw(
            ui.state_panel(
                "empty",
                "bell",
                "There is no such alert here",
                "The link may be old, or it belongs to another factory.",
                ui.link("/alerts", "All alerts"),
            )
        )


def well(factory_id: int, local: Local) -> None:
    """Good news is also a state: when was the last one, and who ended it."""
    with st.container(key="card-detail"):
        last = alert_data.rows(factory_id, Filters("resolved"))
        ended = max((a for a in last if a.resolved_at), key=lambda a: a.resolved_at or a.triggered_at, default=None)
        text = "No alert was ever raised here."
        if ended and ended.resolved_at:
            text = f"The last one, {ended.device_key} {ended.title}, was resolved {local.ago(ended.resolved_at)}" + (
                f" by {ended.resolved_by}." if ended.resolved_by else "."
            )
        ui.draw(ui.state_panel("ok", "check", "Nothing to explain", text))


def detail(factory_id: int, alert_id: int, local: Local, *, is_alone: bool) -> None:
    """Why it was raised, what happened since, what is known from before."""
    try:
        found = alert_data.detail(factory_id, alert_id, local.now)
    except NotFoundError:
        missing()
        return
    with st.container(key="card-detail"):
        if is_alone:
            ui.draw(f'<div class="row only-s">{ui.link("/alerts", ui.icon("left") + " All alerts", "act-link")}</div>')
        now = next((m for m in loads.machines(factory_id) if m.id == found.alert.device_id), None)
        ui.draw(alert_parts.head(found.alert, now, local))
        actions(found.alert)
        if found.alert.message:
            ui.draw(f'<p class="sentence">{alert_parts.sentence(found.alert.message)}</p>')
        for i, line in enumerate(found.lines):
            around(found, line, local, f"around-{i}")
        if found.is_history_away:
            ui.draw(
                ui.state_panel(
                    "error small", "high", "History cannot be read now", "The history store does not answer; the alert itself is complete."
                )
            )
        one, two = st.columns(2, gap="medium")
        with one:
            ui.draw(ui.section("What happened"), alert_parts.steps(found, local))
        with two:
            ui.draw(ui.section("Known from before"), alert_parts.known(found, local))


def around(found: Detail, line: Line, local: Local, key: str) -> None:
    """One parameter around the moment of the alert."""
    v = line.parameter
    values = [value for value in line.frame["mean"].to_list() if value is not None]
    if not values:
        return
    factor, unit = (0.001, "kW") if v.unit == "W" and max(values) >= 1000 else (1, v.unit)
    points = charts.points(line.frame, "mean", local, factor)
    limits = [
        Limit(limit.threshold * factor, f"Limit {fmt.exact(limit.threshold * factor)} {unit}".strip(), limit.severity)
        for limit in line.limits
    ]
    a = found.alert
    option = charts.around_alert(
        Panel(kpis.name_of(v), points, limits=tuple(limits)),
        unit,
        (local.wall(found.start), local.wall(found.end)),
        Raised(local.wall(a.triggered_at), local.time(a.triggered_at), a.severity, local.wall(_held_until(found))),
    )
    ui.draw(f'<div class="cap">{escape(kpis.name_of(v))}</div>')
    charts.show(option, 190 if len(found.lines) == 1 else 160, key, f"{kpis.name_of(v)} around the moment the alert was raised")


def _held_until(found: Detail) -> datetime:
    """Until when the condition held, as far as the chart shows."""
    a = found.alert
    return min(found.end, *(at for at in (a.cleared_at, a.resolved_at) if at is not None), found.end)


def tabs(current: str) -> None:
    """The sides of alerts, as links: each has its own address."""
    links = "".join(ui.link(f"/alerts?tab={key}" if key else "/alerts", word, "on" if key == current else "") for key, word in TABS.items())
    ui.draw(f'<nav class="tabs" aria-label="Alerts">{links}</nav>')


frame.header("Alerts")
tab = st.query_params.get("tab", "")
tab = tab if tab in TABS else ""
tabs(tab)
{"": page, "quality": quality, "silences": quiet, "messages": wishes}[tab]()
frame.tabbar("alerts")
