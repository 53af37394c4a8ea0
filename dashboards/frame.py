"""What every page has: the strip at the top that keeps itself fresh, and the thumb bar of phones."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import streamlit as st

from dashboards import alarm, loads, session, ui

TABS = (
    ("overview", "/", "grid", "Overview"),
    ("machines", "/machines", "machine", "Machines"),
    ("alerts", "/alerts", "bell", "Alerts"),
    ("more", "/more", "more", "More"),
)


def header(title: str, crumbs: str = "", note: str = "") -> None:
    """Where am I, is anything critical, how fresh is it, what time is it in the factory. `crumbs` and `note` are HTML."""
    with st.container(key="head", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        ui.draw(f'<div class="top">{crumbs}<h1>{escape(title)}</h1>{note}</div>')
        _pulse()


@st.fragment(run_every="10s")
def _pulse() -> None:
    ui.draw(f'<div class="ctx">{pulse_html()}{alarm.look()}</div>')


def pulse_html() -> str:
    """Critical alerts, freshness and clock."""
    who, local = session.identity(), session.local()
    critical = loads.critical_count(who.factory_id)
    alarm = ui.link("/alerts?severity=critical", f"{ui.icon('critical')}{critical} critical", "pill critical-pill") if critical else ""
    newest = loads.newest_message_at(who.factory_id)
    if newest is None:
        fresh = f"{ui.icon('clock')}No data yet"
    elif (local.now - newest).total_seconds() > 60:
        fresh = f"{ui.icon('clock')}Last data {local.time(newest)}"
    else:
        fresh = (
            f'{ui.icon("live", "pulse")}<span><span class="hide-s">Live · </span>{local.age(newest)}<span class="hide-s"> ago</span></span>'
        )
    return f'{alarm}<span class="pill">{fresh}</span><span class="clock hide-s"><b>{local.clock}</b> {escape(local.zone_name)}</span>'


def tabbar(current: str) -> None:
    """Thumb navigation on phones; hidden from 640 px up."""
    items = "".join(ui.link(url, ui.icon(glyph) + word, "on" if key == current else "") for key, url, glyph, word in TABS)
    ui.draw(f'<nav class="tabbar" aria-label="Main">{items}</nav>')


@contextmanager
def loading(name: str, *widths: int) -> Iterator[None]:
    """Grey bones where the content will be, while it is loaded for the first time on this page; what is there already stays."""
    key = f"loaded-{name}"
    # Always there, if empty: a part that comes and goes would move all that follows, and Streamlit would lose some of it.
    slot = st.empty()
    if st.session_state.get(key):
        yield
        return
    slot.html(ui.bones(*widths))
    try:
        yield
        st.session_state[key] = True
    finally:
        slot.empty()


def stale_strip(since: str) -> None:
    """Says that the page shows older values, and that this mends itself."""
    text = f"<b>Showing history from {escape(since)}.</b> The history store does not answer; live values and alerts go on. Trying again."
    ui.draw(f'<div class="strip" role="status">{ui.icon("clock")}<span>{text}</span></div>')
