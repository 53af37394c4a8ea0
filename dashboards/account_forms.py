"""What people do with their own account: password, second factor, sign-ins, keys for programs."""

from datetime import timedelta
from functools import partial
from html import escape

import streamlit as st

from dashboards import forms, resources, session, ui
from warehouse.access import api_keys, own_password, second_factor
from warehouse.access.password_rules import SHORTEST
from warehouse.access.sessions import end_own_session, sessions_of

SCOPES = {
    "read": "Look at everything",
    "work": "Work: resolve alerts, change machines",
    "create_rules": "Create rules",
    "run_analytics": "Run analyses",
    "generate_reports": "Generate reports",
    "manage_users": "Read the audit trail",
}
_ENROLMENT, _CODES, _KEY = "account-enrolment", "account-recovery-codes", "account-new-key"


def password() -> None:
    """Another password; all other sign-ins end."""
    with st.form("password", border=False, clear_on_submit=True):
        old = st.text_input("Present password", type="password", key="password-old", autocomplete="current-password")
        new = st.text_input(
            f"New password, {SHORTEST} characters or more", type="password", key="password-new", autocomplete="new-password"
        )
        if not st.form_submit_button("Change the password", type="primary"):
            return
    inst, who = resources.installation(), session.identity()
    forms.attempt(lambda: own_password.change_password(inst.db, inst.clock, who, old, new), "Changed; all your other sign-ins have ended.")


def factor() -> None:
    """The authenticator app: turning it on, new recovery codes, turning it off."""
    inst, who = resources.installation(), session.identity()
    is_on, left = second_factor.state(inst.db, who)
    if codes := st.session_state.get(_CODES):
        ui.draw("<p>Each of these works once, instead of the app. They are not shown again: write them down, or print them.</p>")
        st.code("\n".join(codes), language=None)
        if st.button("I have them", type="primary", key="codes-seen"):
            del st.session_state[_CODES]
            st.rerun()
    elif is_on:
        ui.draw(f"<p>Sign-in asks for a code of your authenticator app. <b>{left}</b> recovery codes are left.</p>")
        _renew()
        _turn_off()
    elif _ENROLMENT in st.session_state:
        _confirm()
    else:
        ui.draw("<p>With an authenticator app, somebody who finds out your password still cannot sign in.</p>")
        _begin()


def _begin() -> None:
    with st.form("factor-begin", border=False, clear_on_submit=True):
        again = st.text_input("Your password", type="password", key="factor-password", autocomplete="current-password")
        if not st.form_submit_button("Set up an app", type="primary"):
            return
    inst, who = resources.installation(), session.identity()

    def begin() -> None:
        st.session_state[_ENROLMENT] = second_factor.begin(inst.db, inst.settings, inst.clock, who, again)

    forms.attempt(begin)


def _confirm() -> None:
    enrolment = st.session_state[_ENROLMENT]
    link = escape(enrolment.link, quote=True)
    ui.draw(f'<p>Type this key into your app (on the phone itself: <a href="{link}">open the app</a>), then the code that it shows.</p>')
    st.code(enrolment.secret, language=None)
    with st.form("factor-confirm", border=False, clear_on_submit=True):
        code = st.text_input("Code of the app", max_chars=20, key="factor-code", autocomplete="one-time-code")
        turn_on, leave = st.form_submit_button("Turn it on", type="primary"), st.form_submit_button("Not now")
    inst, who = resources.installation(), session.identity()
    if leave:
        del st.session_state[_ENROLMENT]
        st.rerun()

    def confirm() -> None:
        st.session_state[_CODES] = second_factor.confirm(inst.db, inst.settings, inst.clock, who, code)
        del st.session_state[_ENROLMENT]

    if turn_on:
        forms.attempt(confirm, "The second factor is on.")


def _renew() -> None:
    with st.popover("New recovery codes", icon=":material/refresh:"), st.form("factor-renew", border=False, clear_on_submit=True):
        code = st.text_input("Code of the app, or a recovery code", max_chars=20, key="renew-code", autocomplete="one-time-code")
        if not st.form_submit_button("Make new ones"):
            return
    inst, who = resources.installation(), session.identity()

    def renew() -> None:
        st.session_state[_CODES] = second_factor.renew_recovery_codes(inst.db, inst.settings, inst.clock, who, code)

    forms.attempt(renew)


def _turn_off() -> None:
    with st.popover("Turn it off", icon=":material/lock_open:"), st.form("factor-off", border=False, clear_on_submit=True):
        again = st.text_input("Your password", type="password", key="off-password", autocomplete="current-password")
        code = st.text_input("Code of the app, or a recovery code", max_chars=20, key="off-code", autocomplete="one-time-code")
        if not st.form_submit_button("Turn it off", type="primary"):
            return
    inst, who = resources.installation(), session.identity()
    forms.attempt(lambda: second_factor.end(inst.db, inst.settings, inst.clock, who, again, code), "The second factor is off.")


def sign_ins() -> None:
    """Where one is signed in, and the way to end that elsewhere."""
    inst, who, local = resources.installation(), session.identity(), session.local()
    for row in sessions_of(inst.db, inst.settings, inst.clock, who):
        here = row.id == who.session_id
        where = f"{escape(row.address or 'unknown address')} · {escape(browser(row.user_agent))}"
        ui.draw(
            f"<p><b>{'This browser' if here else 'Another sign-in'}</b>, since {escape(local.stamp(row.created_at))}, "
            f"last used {escape(local.ago(row.last_used_at))}<br><small>{where}</small></p>"
        )
        if not here and st.button("End it", key=f"end-session-{row.id[:12]}", icon=":material/logout:"):
            forms.attempt(partial(end_own_session, inst.db, inst.clock, who, row.id), "Ended.")


def browser(user_agent: str | None) -> str:
    """What somebody signed in with, in a word or two; pure."""
    text = user_agent or ""
    names = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari", "python": "A program", "curl": "A program"}
    systems = {"Android": "Android", "iPhone": "iPhone", "Windows": "Windows", "Mac OS": "Mac", "Linux": "Linux"}
    found = [next((word for mark, word in table.items() if mark in text), "") for table in (names, systems)]
    return ", ".join(part for part in found if part) or "Unknown browser"


def keys() -> None:
    """Keys with which programs work in one's name; a new one is shown once."""
    inst, who, local = resources.installation(), session.identity(), session.local()
    if secret := st.session_state.get(_KEY):
        ui.draw("<p>Your new key. It is not shown again.</p>")
        st.code(secret, language=None)
        if st.button("I have it", type="primary", key="key-seen"):
            del st.session_state[_KEY]
            st.rerun()
    now = inst.clock.now()
    for row in api_keys.keys_of(inst.db, who):
        if row.revoked_at is not None or row.expires_at <= now:
            continue
        may = ", ".join(SCOPES.get(scope, scope) for scope in row.scopes.split())
        used = f"last used {local.ago(row.last_used_at)}" if row.last_used_at else "never used"
        ui.draw(
            f"<p><b>{escape(row.name)}</b> {escape(row.prefix)}…<br>"
            f"<small>{escape(may)} · until {escape(local.stamp(row.expires_at))} · {escape(used)}</small></p>"
        )
        if forms.is_sure("End this key", "Programs that use it are refused at once.", f"key-{row.id}"):
            forms.attempt(partial(api_keys.revoke, inst.db, inst.clock, who, row.id), "The key is ended.")
    _new_key()


def _new_key() -> None:
    inst, who = resources.installation(), session.identity()
    offered = [scope for scope in SCOPES if scope == "read" or (who.may_work if scope == "work" else who.may(scope))]
    with st.popover("New key", icon=":material/add:"), st.form("new-key", border=False, clear_on_submit=True):
        name = st.text_input("For what", placeholder="ERP export", max_chars=100, key="key-name")
        scopes = st.multiselect("It may", offered, ["read"], format_func=SCOPES.__getitem__, key="key-scopes")
        days = st.number_input("Ends after (days)", 1, api_keys.LONGEST_LIFE.days, 90, key="key-days")
        if not st.form_submit_button("Make the key", type="primary"):
            return

    def make() -> None:
        made = api_keys.create(inst.db, inst.clock, who, name.strip() or "Key", scopes, inst.clock.now() + timedelta(days=int(days)))
        st.session_state[_KEY] = made.secret

    forms.attempt(make)
