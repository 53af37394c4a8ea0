"""What was done to a machine: failures, repairs and planned work, from other systems and by hand."""

from datetime import UTC, datetime
from html import escape
from typing import Final

import streamlit as st

from dashboards import fmt, forms, resources, session, ui
from dashboards.fmt import Local
from warehouse.errors import InvalidInputError
from warehouse.models.devices import Device
from warehouse.models.upkeep import EVENT_KINDS, MaintenanceEvent
from warehouse.upkeep import EventRow
from warehouse.upkeep_by_hand import events_of, finish, write_down

KIND_WORDS: Final = {"failure": "Failure", "repair": "Repair", "planned": "Planned work", "inspection": "Inspection"}
GLYPHS: Final = {"failure": "fault", "repair": "wrench", "planned": "clock", "inspection": "search"}
GOES_ON, ENDED = "It goes on", "It has ended"


def upkeep(device: Device) -> None:
    """The tab."""
    who, local, inst = session.identity(), session.local(), resources.installation()
    left, right = st.columns([1.6, 1], gap="small")
    with left, st.container(key="card-events"):
        found = events_of(inst.db, who.factory_id, device.id)
        ui.draw(ui.section("Upkeep", fmt.plural(len(found), "event") if found else ""))
        if not found:
            text = "Write down what was done, or import it from the maintenance system with “factoryops import maintenance”."
            ui.draw(ui.state_panel("empty", "wrench", "Nothing was written down yet", text))
        for event in found:
            _row(event, local)
    with right, st.container(key="card-new-event"):
        ui.draw(ui.section("Write down"))
        if who.may_work:
            _form(device, local)
        else:
            forms.look_only()


def _row(event: MaintenanceEvent, local: Local) -> None:
    inst = resources.installation()
    with st.container(horizontal=True, vertical_alignment="center", key=f"line-event-{event.id}"):
        ui.draw(event_line(event, local))
        if event.ended_at is None and session.identity().may_work and st.button("It is done", key=f"finish-{event.id}"):
            forms.attempt(lambda: finish(inst.db, inst.clock, forms.actor(), event.id, inst.clock.now()), "Noted")


def event_line(event: MaintenanceEvent, local: Local) -> str:
    """One event in two lines."""
    facts = [local.time(event.began_at)]
    facts.append(f"took {fmt.span((event.ended_at - event.began_at).total_seconds())}" if event.ended_at else "goes on")
    facts += [escape(event.reason)] if event.reason else []
    facts += [f"cost {fmt.num(event.cost)}"] if event.cost is not None else []
    facts += [escape(event.source)]
    title = f": {escape(event.title)}" if event.title else ""
    return f'<div class="said"><b>{ui.icon(GLYPHS[event.kind])} {KIND_WORDS[event.kind]}{title}</b><small>{" · ".join(facts)}</small></div>'


def _form(device: Device, local: Local) -> None:
    inst = resources.installation()
    now = local.now.replace(tzinfo=None, second=0, microsecond=0)
    with st.form(f"event-{device.id}", border=False):
        kind = st.selectbox("What was it?", EVENT_KINDS, 1, format_func=KIND_WORDS.__getitem__, key=f"event-kind-{device.id}")
        title = st.text_input("In a few words", max_chars=255, key=f"event-title-{device.id}", placeholder="Front spindle bearing changed")
        began = st.datetime_input("Began, on the factory's clock", now, key=f"event-began-{device.id}")
        how = st.radio("And now?", [ENDED, GOES_ON], horizontal=True, key=f"event-how-{device.id}")
        ended = st.datetime_input(f"Ended (if “{ENDED.lower()}”)", now, key=f"event-ended-{device.id}")
        reason = st.text_input("Cause", max_chars=255, key=f"event-reason-{device.id}", placeholder="Worn bearing")
        cost = st.number_input("Cost, in the tariff's currency", 0.0, None, None, key=f"event-cost-{device.id}", placeholder="unknown")
        if st.form_submit_button("Write down", type="primary"):
            end = _moment(ended, local) if how == ENDED and ended is not None else None

            def keep() -> None:
                if began is None:
                    raise InvalidInputError("When did it begin?", path="began_at")
                told = EventRow("", device.id, kind, _moment(began, local), end, title, reason, cost)
                write_down(inst.db, inst.clock, forms.actor(), told)

            forms.attempt(keep, "Written down")


def _moment(chosen: datetime, local: Local) -> datetime:
    """What somebody chose on the factory's clock."""
    return chosen.replace(tzinfo=local.zone).astimezone(UTC)
