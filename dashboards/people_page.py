"""The people of a factory: a list, one of them with all that can be changed, and an invitation for somebody new."""

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Final

import streamlit as st

from dashboards import fmt, forms, resources, session, ui
from dashboards.fmt import Local
from rules.notify import account_mails
from warehouse.access import oversight, second_factor
from warehouse.access import people as accounts
from warehouse.access.people import Wanted
from warehouse.access.rights import permissions_of, status_of
from warehouse.models.people import ROLES, User

ROLE_WORDS: Final = {"super_admin": "Administrator", "admin": "Manager", "viewer": "Viewer"}
ROLE_SAYS: Final = {
    "super_admin": "May do everything, also invite people and change the factory's settings.",
    "admin": "Works with machines and alerts, and may do what is ticked below.",
    "viewer": "Looks at everything and changes nothing.",
}
PERMISSION_WORDS: Final = {
    "create_rules": "Create and change rules",
    "run_analytics": "Run analyses",
    "generate_reports": "Generate and schedule reports",
    "manage_users": "Read the audit trail",
}
STATUS_WORDS: Final = {"active": "Active", "invited": "Invited", "deactivated": "Deactivated"}


def people() -> None:
    """The list, and at its side the person that was chosen."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    found = accounts.people(inst.db, who.factory_id)
    asked = st.query_params.get("person", "")
    chosen = next((user for user in found if str(user.id) == asked), None)
    left, right = st.columns([1.4, 1], gap="small")
    with left, st.container(key="card-people"):
        secured = oversight.with_second_factor(inst.db, who)
        ui.draw(
            ui.section(f"People of {who.factory_name}", fmt.plural(len(found), "person", "people")),
            '<div class="feed">'
            + "".join(person_row(user, local, is_chosen=user is chosen, has_factor=user.id in secured) for user in found)
            + "</div>",
        )
    with right, st.container(key="card-person"):
        if chosen is None:
            text = "That person is not here any more." if asked else "Choose somebody to see and change what they may do."
            ui.draw(ui.state_panel("empty", "lock", "Rights and access", text, ui.link("/users?tab=invite", "Invite somebody")))
        else:
            _person(chosen, local)


def person_row(user: User, local: Local, *, is_chosen: bool, has_factor: bool) -> str:
    """Name, e-mail, role, status and when they were here last."""
    status = status_of(user)
    mark = "" if status == "active" else f' <span class="chip">{STATUS_WORDS[status]}</span>'
    factor = " · second factor" if has_factor else ""
    seen = ui.moment(user.last_login, local) if user.last_login else "<time>never here</time>"
    body = (
        f'<span class="what"><b>{escape(user.name or user.email)}</b>{mark}'
        f"<small>{escape(user.email)} · {ROLE_WORDS[user.role]}{factor}</small></span>{seen}"
    )
    return ui.link(f"/users?person={user.id}", body, "feed-row on" if is_chosen else "feed-row")


def _person(user: User, local: Local) -> None:
    who, inst = session.identity(), resources.installation()
    status = status_of(user)
    facts = (
        ("E-mail", user.email),
        ("WhatsApp", user.whatsapp_number or ""),
        ("Status", STATUS_WORDS[status]),
        ("Invited", local.ago(user.invited_at) if user.invited_at and status == "invited" else ""),
        ("Last sign-in", local.ago(user.last_login) if user.last_login else "never"),
        ("Wrong passwords", f"{user.failed_logins:,}" if user.failed_logins else ""),
    )
    lines = "".join(f"<dt>{a}</dt><dd>{escape(b)}</dd>" for a, b in facts if b)
    ui.draw(ui.section(user.name or user.email), f'<dl class="facts">{lines}</dl>')
    if status == "deactivated":
        if st.button("Give the access back", type="primary", key=f"reactivate-{user.id}"):
            forms.attempt(lambda: accounts.reactivate(inst.db, inst.clock, who, user.id), "They can sign in again")
        return
    _rights(user)
    with st.container(horizontal=True):
        if status == "invited" and st.button("Send the invitation again", icon=":material/mail:", key=f"again-{user.id}"):
            forms.attempt(lambda: send_invitation(Wanted(user.email, role=user.role, permissions=permissions_of(user))))
        if user.id != who.user_id:
            _deactivate(user)
    _lost_phone(user)


def _rights(user: User) -> None:
    who, inst = session.identity(), resources.installation()
    role = st.selectbox(
        "Role", ROLES, ROLES.index(user.role), format_func=ROLE_WORDS.__getitem__, key=f"role-{user.id}", disabled=user.id == who.user_id
    )
    st.caption(ROLE_SAYS[role])
    with st.form(f"rights-{user.id}", border=False):
        given = _permissions(f"may-{user.id}", role, permissions_of(user))
        reason = st.text_input("Reason, for the audit trail", max_chars=500, key=f"why-{user.id}")
        if st.form_submit_button("Save", type="primary"):
            forms.attempt(
                lambda: accounts.set_rights(inst.db, inst.clock, who, user.id, permissions=given, role=role, reason=reason.strip() or None),
                "Saved; it holds from their next click on",
            )


def _permissions(prefix: str, role: str, now: Mapping[str, bool]) -> dict[str, bool]:
    """A box for each permission; only managers have a choice."""
    if role != "admin":
        return dict.fromkeys(PERMISSION_WORDS, role == "super_admin")
    return {name: st.checkbox(word, now.get(name, False), key=f"{prefix}-{name}") for name, word in PERMISSION_WORDS.items()}


def _deactivate(user: User) -> None:
    who, inst = session.identity(), resources.installation()
    question = f"{user.name or user.email} is signed out at once, their keys end, an open invitation is withdrawn. Their traces stay."
    if forms.is_sure("Deactivate", question, f"deactivate-{user.id}", icon=":material/person_off:"):
        forms.attempt(lambda: accounts.deactivate(inst.db, inst.clock, who, user.id), "Deactivated")


def _lost_phone(user: User) -> None:
    """For somebody who lost their phone and their recovery codes."""
    who, inst = session.identity(), resources.installation()
    if user.id not in oversight.with_second_factor(inst.db, who):
        return
    with st.popover("They lost their second factor", icon=":material/smartphone:"), st.form(f"phone-{user.id}", border=False):
        st.caption("They then sign in with the password alone, until they set up an app anew.")
        reason = st.text_input("Reason, for the audit trail", max_chars=500, key=f"phone-why-{user.id}")
        if st.form_submit_button("Remove the second factor", type="primary"):
            forms.attempt(partial(second_factor.remove_of, inst.db, inst.clock, who, user.id, reason.strip()), "Removed")


def invite() -> None:
    """The form for somebody new."""
    with st.container(key="card-invite"):
        ui.draw(ui.section("Invite somebody", "they choose their password with a link in a mail"))
        role = st.selectbox("Role", ROLES, 1, format_func=ROLE_WORDS.__getitem__, key="invite-role")
        st.caption(ROLE_SAYS[role])
        with st.form("invite", border=False):
            email = st.text_input("E-mail", max_chars=255, key="invite-email", placeholder="linh@plant.example")
            name = st.text_input("Name", max_chars=255, key="invite-name")
            number = st.text_input("WhatsApp number, for alerts", max_chars=50, key="invite-whatsapp", placeholder="+84 90 000 00 00")
            given = _permissions("invite", role, {})
            if st.form_submit_button("Send the invitation", type="primary"):
                wanted = Wanted(email, name.strip() or None, number.strip() or None, role, given)
                forms.attempt(lambda: send_invitation(wanted))


def send_invitation(wanted: Wanted) -> None:
    """Makes the account and mails the link; says whether the mail server took it."""
    who, inst = session.identity(), resources.installation()
    made = accounts.invite(inst.db, inst.settings, inst.clock, who, wanted)
    text = account_mails.invitation(inst.settings, made.user.email, who.factory_name, made.token, made.expires_at)
    with st.spinner("Sending the mail …"):
        is_sent = account_mails.send(inst.settings, inst.clock, "invitation", made.user.email, text)
    if is_sent:
        st.toast(f"The invitation is on its way to {made.user.email}", icon=":material/check:")
    else:
        st.toast(f"{made.user.email} is invited, but the mail server did not take the mail. Send it again later.", icon=":material/error:")
