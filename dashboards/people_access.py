"""Sign-ins and keys of everybody in a factory, and the way to end them."""

from functools import partial
from html import escape

import streamlit as st

from dashboards import fmt, forms, resources, session, ui
from dashboards.account_forms import SCOPES, browser
from warehouse.access import api_keys, oversight


def sign_ins() -> None:
    """Who is signed in now, from where."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    found = oversight.open_sessions(inst.db, inst.settings, inst.clock, who)
    with st.container(key="card-sessions"):
        ui.draw(ui.section("Signed in now", fmt.plural(len(found), "sign-in")))
        for row, user in found:
            with st.container(horizontal=True, vertical_alignment="center", key=f"line-session-{row.id[:12]}"):
                here = " · this one" if row.id == who.session_id else ""
                ui.draw(
                    f'<div class="said"><b>{escape(user.name or user.email)}</b>'
                    f"<span>{escape(browser(row.user_agent))}{f' · {escape(row.address)}' if row.address else ''}{here}</span>"
                    f"<small>used {ui.moment(row.last_used_at, local)}, since {ui.moment(row.created_at, local)}, "
                    f"ends {escape(local.time(row.expires_at))}</small></div>"
                )
                if not here and st.button("End", key=f"end-{row.id[:12]}"):
                    forms.attempt(partial(oversight.end_session, inst.db, inst.clock, who, row.id), "Ended")


def keys() -> None:
    """Keys with which programs work, of everybody; one's own are made on one's account page."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    found = oversight.keys_in_force(inst.db, who, inst.clock.now())
    with st.container(key="card-keys"):
        ui.draw(ui.section("Keys in force", ui.link("/account", "Make a key of yours")))
        if not found:
            text = "Programs that read from the API need a key. Everybody makes their own, with at most their own rights."
            ui.draw(ui.state_panel("empty", "lock", "No program has a key", text))
        for row, user in found:
            with st.container(horizontal=True, vertical_alignment="center", key=f"line-key-{row.id}"):
                may = ", ".join(SCOPES.get(scope, scope) for scope in row.scopes.split())
                used = f"used {ui.moment(row.last_used_at, local)}" if row.last_used_at else "never used"
                ui.draw(
                    f'<div class="said"><b>{escape(row.name)}</b><span>{escape(row.prefix)}… of {escape(user.name or user.email)}</span>'
                    f"<small>{escape(may)} · {used} · until {escape(local.time(row.expires_at))}</small></div>"
                )
                if forms.is_sure("End", "Programs that use it are refused at once.", f"key-{row.id}"):
                    forms.attempt(partial(api_keys.revoke, inst.db, inst.clock, who, row.id), "The key is ended")
