"""How this factory reaches people and other systems, each with a test; and the systems that are told by webhook."""

from functools import partial
from html import escape

import streamlit as st

from dashboards import forms, resources, session, ui
from dashboards.alert_parts import CHANNEL_WORDS
from rules.notify.trials import send_trial
from rules.notify.undelivered import count_undelivered
from rules.notify.wishes import add_webhook, delete_webhook, webhooks_of
from warehouse.models.notifying import Webhook
from warehouse.terms import SEVERITIES

LEAST = {"low": "All alerts", "medium": "Medium and worse", "high": "High and worse", "critical": "Critical only"}
_SECRET = "fresh-webhook"  # noqa: S105  # where a secret waits for its one showing


def messages() -> None:
    """The tab."""
    left, right = st.columns(2, gap="small")
    with left:
        _mail()
        _whatsapp()
    with right:
        _webhooks()


def _mail() -> None:
    who, settings = session.identity(), resources.installation().settings
    is_on = bool(settings.smtp_host)
    with st.container(key="card-mail"):
        ui.draw(ui.section("E-mail"))
        facts = (
            ("Mail server", f"{settings.smtp_host}:{settings.smtp_port}" if is_on else "none: mails are kept as files"),
            ("Sender", settings.smtp_from),
            *([] if is_on else [("Files", str(settings.mail_folder))]),
        )
        ui.draw(_facts(facts))
        _trial("email", who.email)
        failed = count_undelivered(resources.installation().db, who.factory_id)
        if failed:
            ui.draw(ui.link("/alerts?tab=silences", f"{failed:,} messages could not be delivered", "act-link"))


def _whatsapp() -> None:
    settings = resources.installation().settings
    is_on = bool(settings.twilio_account_sid and settings.twilio_auth_token.get_secret_value() and settings.twilio_whatsapp_from)
    with st.container(key="card-whatsapp"):
        ui.draw(ui.section("WhatsApp"))
        if not is_on:
            text = "Whoever runs this installation sets TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_FROM."
            ui.draw(ui.state_panel("empty small", "comment", "Not set up", text))
            return
        ui.draw(_facts((("Sender", settings.twilio_whatsapp_from),)))
        _trial("whatsapp", "")


def _trial(channel: str, recipient: str) -> None:
    with st.form(f"trial-{channel}", border=False):
        to = st.text_input("Send a test to", recipient, max_chars=255, key=f"trial-to-{channel}")
        if st.form_submit_button("Send a test", icon=":material/send:"):
            forms.attempt(lambda: _send(channel, to), f"The test is on its way: {CHANNEL_WORDS[channel]} to {to}")


def _send(channel: str, to: str, webhook_id: int | None = None) -> None:
    inst = resources.installation()
    with st.spinner("Sending …"):
        send_trial(inst.settings, inst.db, inst.clock, forms.actor(), channel, to, webhook_id=webhook_id)


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    return '<dl class="facts">' + "".join(f"<dt>{a}</dt><dd>{escape(b)}</dd>" for a, b in facts) + "</dl>"


def _webhooks() -> None:
    who, inst = session.identity(), resources.installation()
    with st.container(key="card-webhooks"):
        ui.draw(ui.section("Webhooks", "signed as standardwebhooks.com says"))
        fresh: Webhook | None = st.session_state.get(_SECRET)
        if fresh is not None:
            ui.draw(f"<p>The secret of <b>{escape(fresh.name)}</b>, with which its receiver checks requests. It is not shown again.</p>")
            st.code(fresh.secret, language=None)
            if st.button("I have it", type="primary", key="webhook-seen"):
                del st.session_state[_SECRET]
                st.rerun()
        found = webhooks_of(inst.db, who.factory_id)
        if not found and fresh is None:
            text = "A maintenance system, a chat or a lamp that can receive a POST request is told of alerts."
            ui.draw(ui.state_panel("empty small", "bell", "No system is told yet", text))
        for row in found:
            _webhook(row)
        _new_webhook()


def _webhook(row: Webhook) -> None:
    who, inst = session.identity(), resources.installation()
    with st.container(horizontal=True, vertical_alignment="center", key=f"line-webhook-{row.id}"):
        ui.draw(
            f'<div class="said"><b>{escape(row.name)}</b><span>{escape(row.url)}</span><small>{LEAST[row.least_severity]}</small></div>'
        )
        if st.button("Test", key=f"trial-webhook-{row.id}"):
            forms.attempt(partial(_send, "webhook", row.name, row.id), f"{row.name} took the test")
        if forms.is_sure("Delete", f"{row.name} is told of nothing any more.", f"webhook-{row.id}"):
            forms.attempt(partial(delete_webhook, inst.db, inst.clock, who.factory_id, row.id, user_id=who.user_id), "Deleted")


def _new_webhook() -> None:
    who, inst = session.identity(), resources.installation()
    with st.popover("Add a webhook", icon=":material/add:"), st.form("new-webhook", border=False):
        name = st.text_input("Name", max_chars=255, key="webhook-name", placeholder="Maintenance system")
        url = st.text_input("Address", max_chars=1000, key="webhook-url", placeholder="https://cmms.plant.example/alerts")
        least = st.selectbox("Which alerts?", SEVERITIES[::-1], format_func=LEAST.__getitem__, key="webhook-least")
        if st.form_submit_button("Add", type="primary"):

            def make() -> None:
                st.session_state[_SECRET] = add_webhook(inst.db, inst.clock, who.factory_id, name, url, least, user_id=who.user_id)

            forms.attempt(make)
