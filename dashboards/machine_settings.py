"""How a machine is set up: what it is called, whether it may send, and its key."""

from dataclasses import asdict
from html import escape

import streamlit as st

from dashboards import device_keys, fmt, forms, loads, machine_new, resources, session, ui
from dashboards.fmt import Local
from ingest import registration
from warehouse.device_changes import change_device, deactivate_device
from warehouse.device_list import DeviceEntry
from warehouse.device_notes import forget_notes, notes_of
from warehouse.models.devices import Device

_FIELDS = ("name", "kind", "manufacturer", "model", "region", "importance")


def settings(device: Device) -> None:
    """The tab."""
    who, local = session.identity(), session.local()
    left, right = st.columns([1.4, 1], gap="small")
    with left, st.container(key="card-description"):
        ui.draw(ui.section("What it is"))
        if who.may_work:
            _description(device)
        else:
            forms.look_only()
    with right:
        with st.container(key="card-key"):
            _key(device)
        with st.container(key="card-use"):
            _use(device)
        _notes(device, local)


def _description(device: Device) -> None:
    inst = resources.installation()
    has = DeviceEntry(device.device_key, **{name: getattr(device, name) for name in _FIELDS})
    with st.form(f"describe-{device.id}", border=False):
        told = machine_new.description(f"describe-{device.id}", loads.machines(session.identity().factory_id), has)
        if st.form_submit_button("Save", type="primary"):
            fields = {name: value for name, value in asdict(told).items() if name in _FIELDS}
            forms.attempt(lambda: change_device(inst.db, inst.clock, forms.actor(), device.id, fields), "Saved")


def _key(device: Device) -> None:
    who, inst = session.identity(), resources.installation()
    known = registration.credentials_of(inst.db, who.factory_id, device.device_key)
    host, port, is_tls = device_keys.broker_address(inst.settings)
    facts = (
        ("Key", "in force, known to the machine alone" if device.api_key else "none: it cannot send"),
        ("User", known.user_name),
        ("Topic", known.topic),
        ("Broker", f"{host}:{port}{' with TLS' if is_tls else ''}"),
    )
    ui.draw(ui.section("Key"), '<dl class="facts">' + "".join(f"<dt>{a}</dt><dd>{escape(b)}</dd>" for a, b in facts) + "</dl>")
    if not who.may_work:
        return
    with st.container(horizontal=True):
        word = "New key" if device.api_key else "Make a key"
        question = "The key that the machine has now ends within 10 seconds." if device.api_key else "The key is shown once."
        if forms.is_sure(word, question, f"rotate-{device.id}", icon=":material/key:"):
            forms.attempt(lambda: device_keys.remember(registration.rotate_key(inst.db, inst.clock, forms.actor(), device.device_key)))
        if device.api_key and forms.is_sure(
            "Revoke", "Within 10 seconds the machine can send nothing until it gets a new key.", f"revoke-{device.id}"
        ):
            forms.attempt(lambda: registration.revoke_key(inst.db, inst.clock, forms.actor(), device.device_key), "The key was taken away")


def _use(device: Device) -> None:
    inst = resources.installation()
    text = "It may send, and counts as a machine of the factory." if device.is_active else "What it sends is refused; its history stays."
    ui.draw(ui.section("In use" if device.is_active else "Switched off"), f"<p>{text}</p>")
    if not session.identity().may_work:
        return
    if not device.is_active:
        change = {"is_active": True}
        if st.button("Switch on", type="primary", key=f"activate-{device.id}"):
            forms.attempt(
                lambda: change_device(inst.db, inst.clock, forms.actor(), device.id, change, "device.activate"), "It may send again"
            )
    elif forms.is_sure(
        "Switch off",
        "From then on what it sends is refused. Its history, alerts and reports stay, and it can be switched on again.",
        f"deactivate-{device.id}",
        icon=":material/power_settings_new:",
    ):
        forms.attempt(lambda: deactivate_device(inst.db, inst.clock, forms.actor(), device.id), "It was switched off")


def _notes(device: Device, local: Local) -> None:
    """What was noticed of it that somebody should mend; no card without any."""
    who, inst = session.identity(), resources.installation()
    found = notes_of(inst.db, who.factory_id, device.id)
    if not found:
        return
    with st.container(key="card-notes"):
        lines = "".join(
            f'<div class="said"><b>{escape(note.said)}</b><span>{escape(note.detail)}</span>'
            f"<small>{fmt.plural(note.count, 'time')}, last {ui.moment(note.last_at, local)}</small></div>"
            for note in found
        )
        ui.draw(ui.section("Noticed"), lines)
        if who.may_work and st.button("It is mended", key=f"forget-{device.id}"):
            forms.attempt(lambda: forget_notes(inst.db, who.factory_id, device.id), "Noted")
