"""Maintenance windows: hours that come again, in which alerts are recorded and nobody is told."""

from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import alert_data, fmt, forms, loads, resources, session, ui
from dashboards.alert_quiet import silence_line
from rules.silences import LONGEST_REASON, NewSilence, end_silence, list_silences, silence
from warehouse.shifts import shifts_of

DAYS: Final = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 7: "Sun"}
WHOLE: Final = "The whole factory"
AREA: Final = "Area "
HOURS: Final = "Certain hours"
ALL_DAY: Final = "From beginning to end"


def windows() -> None:
    """The tab."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    found = list_silences(inst.db, who.factory_id, inst.clock.now())
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-windows"):
        ui.draw(ui.section("Maintenance windows and silences", fmt.plural(len(found), "entry", "entries") if found else ""))
        if not found:
            text = "During a window alerts are recorded, and nobody is told, reminded or escalated to."
            ui.draw(ui.state_panel("ok", "check", "Nothing is silent", text))
        names = alert_data.names(who.factory_id)
        for row in found:
            with st.container(horizontal=True, vertical_alignment="center", key=f"line-window-{row.id}"):
                ui.draw(silence_line(row, names, local))
                if st.button("End", key=f"end-window-{row.id}"):
                    forms.attempt(partial(end_silence, inst.db, inst.clock, who.factory_id, row.id, user_id=who.user_id), "It is over")
    with right, st.container(key="card-new-window"):
        ui.draw(ui.section("Plan a window"))
        _form()


def _form() -> None:
    who, inst, local = session.identity(), resources.installation(), session.local()
    machines = sorted(loads.machines(who.factory_id), key=lambda m: m.device_key)
    scopes: dict[str, dict[str, Any]] = {WHOLE: {}}
    scopes |= {f"{AREA}{region}": {"region": region} for region in sorted({m.region for m in machines if m.region})}
    scopes |= {m.device_key: {"device_id": m.id} for m in machines}
    shifts = {f"Shift {shift.name}": shift.name for shift in shifts_of(inst.db, who.factory_id)}
    today = local.now.date()
    when = st.selectbox("When", [HOURS, *shifts, ALL_DAY], key="window-when")
    with st.form("window", border=False):
        scope = st.selectbox("What is silent?", list(scopes), key="window-scope")
        reason = st.text_input("Why?", max_chars=LONGEST_REASON, key="window-reason", placeholder="Weekly cleaning")
        with st.container(horizontal=True, gap="small", key="line-window-days"):
            first = st.date_input("First day", today, key="window-first")
            last = st.date_input("Last day", today + timedelta(days=365), key="window-last")
        schedule = _schedule(when, shifts)
        if st.form_submit_button("Plan it", type="primary"):
            begin = datetime.combine(first, time(), local.zone).astimezone(UTC)
            end = datetime.combine(last + timedelta(days=1), time(), local.zone).astimezone(UTC)
            asked = NewSilence(reason, begin, end, schedule=schedule, **scopes[scope])
            forms.attempt(lambda: silence(inst.db, inst.clock, who.factory_id, asked, user_id=who.user_id), "Planned")


def _schedule(when: str, shifts: dict[str, str]) -> dict[str, Any] | None:
    """The hours on the factory's clock, in the form of `rules.parse`; None: all the time."""
    if when == ALL_DAY:
        return None
    days = st.pills("On", list(DAYS), default=list(DAYS), format_func=DAYS.__getitem__, selection_mode="multi", key="window-weekdays")
    chosen = sorted(days) or list(DAYS)
    if when in shifts:
        return {"shift": shifts[when], "days": chosen}
    with st.container(horizontal=True, gap="small", key="line-window-hours"):
        start = st.time_input("From", time(22), key="window-from")
        end = st.time_input("Until", time(6), key="window-until")
    return {"start_time": f"{start:%H:%M}", "end_time": f"{end:%H:%M}", "days": chosen}
