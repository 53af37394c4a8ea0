"""New machines: one that somebody describes, and those that send already although nobody registered them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from html import escape

import streamlit as st

from dashboards import device_keys, fmt, forms, loads, machine_list, resources, session, ui
from dashboards.fmt import Local
from ingest.registration import register
from ingest.replay import replay_stranger
from warehouse import dead_letters
from warehouse.dead_letters import Choice
from warehouse.device_changes import change_device
from warehouse.device_list import DeviceEntry
from warehouse.errors import InvalidInputError
from warehouse.queries.devices import DeviceRow
from warehouse.strangers import UNKNOWN_DEVICE, Stranger

MOST_NAMES = 6


def add() -> None:
    """A form for one machine; its key is shown once afterwards."""
    if not session.identity().may_work:
        forms.look_only()
        return
    with st.container(key="card-add"), st.form("add-machine", border=False):
        ui.draw(ui.section("Add a machine"))
        key = st.text_input("Key in its topic", max_chars=100, key="add-key", placeholder="CNC-12")
        entry = description("add", loads.machines(session.identity().factory_id))
        if st.form_submit_button("Add the machine", type="primary"):
            forms.attempt(lambda: _register(key.strip(), entry), f"{key.strip()} was added")


def description(prefix: str, known: Sequence[DeviceRow], now: DeviceEntry | None = None) -> DeviceEntry:
    """The fields that describe a machine, two beside each other, with what is known `now`; its key is not among them."""
    has = now or DeviceEntry("")
    one, two = st.columns(2, gap="small")
    with one:
        name = st.text_input("Name", has.name or "", max_chars=255, key=f"{prefix}-name", placeholder="Milling centre 12")
        kind = _suggested("Kind", has.kind, {m.kind for m in known}, f"{prefix}-kind", 100)
        region = _suggested("Area", has.region, {m.region for m in known}, f"{prefix}-region", 255)
    with two:
        maker = _suggested("Maker", has.manufacturer, {m.manufacturer for m in known}, f"{prefix}-maker", 255)
        model = st.text_input("Model", has.model or "", max_chars=255, key=f"{prefix}-model")
        weight = st.number_input(
            "Weight in the factory's health", 0.0, 100.0, has.importance if has.importance is not None else 1.0, 0.5, key=f"{prefix}-weight"
        )
    return DeviceEntry("", name.strip() or None, kind, maker, model.strip() or None, region, weight)


def _suggested(label: str, now: str | None, known: set[str], key: str, longest: int) -> str | None:
    """A list of what other machines have, to which a new word can be added."""
    options = sorted({*known, now or ""} - {""})
    chosen = st.selectbox(
        label, options, options.index(now) if now else None, accept_new_options=True, key=key, placeholder="Choose or write"
    )
    return chosen.strip()[:longest] or None if chosen else None


def _register(key: str, entry: DeviceEntry) -> None:
    inst = resources.installation()
    told = DeviceEntry(key, entry.name, entry.kind, entry.manufacturer, entry.model, entry.region)
    if not key:
        raise InvalidInputError("A machine needs the key that stands in its topic.", path="device_key")
    made = register(inst.db, inst.clock, forms.actor(), told)
    if entry.importance not in {None, 1.0}:
        change_device(inst.db, inst.clock, forms.actor(), made.credentials.device_id, {"importance": entry.importance})
    device_keys.remember(made.credentials)


@st.fragment(run_every="10s")
def unknown() -> None:
    """Machines that nobody registered, each with what it sends and a way to take it in."""
    local = session.local()
    found = machine_list.unknown(session.identity().factory_id)
    with st.container(key="card-unknown"):
        ui.draw(ui.section("Seen but unknown", fmt.plural(len(found), "machine") if found else ""))
        if not found:
            text = "A machine that sends to this factory's topics without being registered appears here, and nothing it sent is lost."
            ui.draw(ui.state_panel("ok", "check", "No unknown machine is sending", text))
        for stranger in found:
            _stranger(stranger, local)


def _stranger(found: Stranger, local: Local) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"line-unknown-{found.device_key}"):
        ui.draw(stranger_line(found, local))
        with st.popover("Approve", icon=":material/add:", key=f"approve-{found.device_key}"), st.form(f"approve-form-{found.device_key}"):
            name = st.text_input("Name", max_chars=255, key=f"approve-name-{found.device_key}")
            kind = st.text_input("Kind", max_chars=100, key=f"approve-kind-{found.device_key}", placeholder="CNC mill")
            region = st.text_input("Area", max_chars=255, key=f"approve-area-{found.device_key}")
            if st.form_submit_button(f"Add and take in {fmt.plural(found.messages, 'message')}", type="primary"):
                entry = DeviceEntry(found.device_key, name.strip() or None, kind.strip() or None, region=region.strip() or None)
                forms.attempt(lambda: _approve(entry))
        question = (
            f"{fmt.plural(found.messages, 'message')} of {found.device_key} will be deleted for good. If it sends again it comes back."
        )
        if forms.is_sure("Discard", question, f"discard-{found.device_key}"):
            forms.attempt(lambda: _discard(found.device_key), "Discarded")


def _approve(entry: DeviceEntry) -> None:
    """Registers the machine and takes in what it sent before."""
    inst, who, actor = resources.installation(), session.identity(), forms.actor()
    made = register(inst.db, inst.clock, actor, entry)
    keep = timedelta(days=inst.settings.raw_retention_days)
    done = replay_stranger(inst.db, inst.clock, keep, who.factory_slug, entry.device_key, actor)
    device_keys.remember(made.credentials)
    stay = sum(done.still_refused.values())
    st.toast(
        f"{entry.device_key} was added, {fmt.plural(done.accepted, 'message')} taken in{f', {stay} still refused' if stay else ''}",
        icon=":material/check:",
    )


def _discard(device_key: str) -> None:
    inst, who = resources.installation(), session.identity()
    choice = Choice(who.factory_id, reasons=(UNKNOWN_DEVICE,), device_key=device_key)
    dead_letters.purge(inst.db, choice, inst.clock.now(), forms.actor())


def stranger_line(found: Stranger, local: Local) -> str:
    """Who, what it sends, how much of it and since when."""
    names = parameters_in(found.newest)
    sends = ", ".join(escape(name) for name in names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    )
    return (
        f'<div class="said"><b>{escape(found.device_key)}</b><span>{f"Sends {sends}" if names else "What it sends cannot be read"}</span>'
        f"<small>{fmt.plural(found.messages, 'message')} kept, the newest {ui.moment(found.last_at, local)}, "
        f"the first {ui.moment(found.first_at, local)}</small></div>"
    )


def parameters_in(payload: bytes) -> list[str]:
    """The names of what a message measures; none when it cannot be read. Pure."""
    try:
        told = json.loads(payload)
    except ValueError:
        return []
    metrics = told.get("metrics") if isinstance(told, dict) else None
    return [str(name) for name in metrics] if isinstance(metrics, dict) else []
