"""What keeps people from hearing of alerts: silences that hold or are to come, and messages that could not be delivered."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboards import alert_data, resources, session, ui
from dashboards.alert_parts import CHANNEL_WORDS
from dashboards.fmt import Local
from dashboards.forms import attempt
from rules.notify.undelivered import count_undelivered, resend, undelivered
from rules.silences import end_silence, list_silences
from warehouse.models.alerting import Notification, Silence

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_MESSAGES = 10


@st.fragment(run_every="10s")
def quiet() -> None:
    """The tab."""
    who, local, inst = session.identity(), session.local(), resources.installation()
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-silences"):
        found = list_silences(inst.db, who.factory_id, inst.clock.now())
        ui.draw(ui.section("Silences and maintenance windows", "recorded, nobody is told"))
        _silences(found, local)
    with right, st.container(key="card-undelivered"):
        number = count_undelivered(inst.db, who.factory_id)
        ui.draw(ui.section("Not delivered", f"{number:,}" if number else ""))
        _messages(undelivered(inst.db, who.factory_id, limit=MOST_MESSAGES), local)


def _silences(found: Sequence[Silence], local: Local) -> None:
    if not found:
        ui.draw(ui.state_panel("ok", "check", "Nothing is silent", "An alert's page has the button Silence: for repairs and trials."))
    names = alert_data.names(session.identity().factory_id)
    for row in found:
        with st.container(horizontal=True, vertical_alignment="center", key=f"silence-row-{row.id}"):
            ui.draw(silence_line(row, names, local))
            if session.identity().may_work and st.button("End", key=f"end-silence-{row.id}"):
                _end(row.id)


def _end(silence_id: int) -> None:
    who, inst = session.identity(), resources.installation()
    attempt(
        lambda: end_silence(inst.db, inst.clock, who.factory_id, silence_id, user_id=who.user_id), "The silence is over", in_passing=True
    )


def silence_line(row: Silence, names: alert_data.Names, local: Local) -> str:
    """What, why, until when."""
    parts = [
        names.devices.get(row.device_id or 0, ""),
        names.rules.get(row.rule_id or 0, ""),
        row.region or "",
    ]
    what = " · ".join(escape(part) for part in parts if part) or "The whole factory"
    when = f"until {local.time(row.ends_at)}" if row.starts_at <= local.now else f"{local.time(row.starts_at)} to {local.time(row.ends_at)}"
    by = names.people.get(row.created_by or 0, "")
    return (
        f'<div class="said"><b>{what}</b><span>{escape(row.reason)}</span>'
        f'<small><time title="{local.stamp(row.ends_at)}">{when}</time>{window_words(row)}{" · " + escape(by) if by else ""}</small></div>'
    )


def window_words(row: Silence) -> str:
    """` · Sun 22:00-06:00` of a silence with a schedule; of several windows the first."""
    if row.schedule is None:
        return ""
    parts = row.schedule.get("windows", [row.schedule])
    first = parts[0]
    start, end = first.get("start_time", first.get("start")), first.get("end_time", first.get("end"))
    hours = f"shift {first['shift']}" if "shift" in first else f"{start}-{end}"
    days = first.get("days")
    named = " ".join(DAYS[day - 1] for day in days) if isinstance(days, list) and len(days) < len(DAYS) else "daily"
    return f" · {escape(f'{named} {hours}')}{' and more' if len(parts) > 1 else ''}"


def _messages(found: Sequence[Notification], local: Local) -> None:
    if not found:
        ui.draw(ui.state_panel("ok", "check", "Every message was delivered", "Messages that were given up appear here with the reason."))
    for row in found:
        with st.container(horizontal=True, vertical_alignment="center", key=f"message-row-{row.id}"):
            ui.draw(message_line(row, local))
            if session.identity().may_work and st.button("Send again", key=f"resend-{row.id}"):
                _resend(row.id)


def _resend(notification_id: int) -> None:
    who, inst = session.identity(), resources.installation()
    attempt(lambda: resend(inst.db, inst.clock, who.factory_id, notification_id, user_id=who.user_id), "On its way again", in_passing=True)


def message_line(row: Notification, local: Local) -> str:
    """To whom, what, why not."""
    channel = CHANNEL_WORDS.get(row.channel, row.channel)
    title = escape(row.subject)
    subject = ui.link(ui.alert_url(row.alert_id), title) if row.alert_id else title
    return (
        f'<div class="said"><b>{subject}</b><span>{escape(row.last_error or "")}</span>'
        f"<small>{escape(channel)} to {escape(row.recipient)} · {ui.moment(row.created_at, local)}</small></div>"
    )
