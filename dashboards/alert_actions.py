"""What a person can do with an alert on its page: acknowledge, assign, comment, silence, resolve."""

from datetime import timedelta
from typing import Any, Final

import streamlit as st

from dashboards import resources, session
from dashboards.alert_data import people
from dashboards.forms import attempt
from rules.alerts import LONGEST_COMMENT, acknowledge, assign, comment_on, resolve
from rules.silences import LONGEST_REASON, NewSilence, silence
from warehouse.queries.alerts import AlertRow

SPANS: Final = {"1 hour": 1, "4 hours": 4, "8 hours": 8, "1 day": 24, "3 days": 72, "1 week": 168}
NOBODY: Final = 0


def actions(a: AlertRow) -> None:
    """The buttons of an alert, for people who may do more than look."""
    who = session.identity()
    if not who.may_work:
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="act"):
        if not a.resolved_at:
            if not a.acknowledged_at:
                _acknowledge(a)
            _resolve(a)
            _assign(a)
        _comment(a)
        if not a.resolved_at:
            _silence(a)


def _acknowledge(a: AlertRow) -> None:
    who, inst = session.identity(), resources.installation()
    if st.button("Acknowledge", type="primary", icon=":material/check:", key=f"acknowledge-{a.id}"):
        attempt(lambda: acknowledge(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id), in_passing=True)


def _resolve(a: AlertRow) -> None:
    who, inst = session.identity(), resources.installation()
    with st.popover("Resolve", icon=":material/task_alt:", key=f"resolve-{a.id}"), st.form(f"resolve-form-{a.id}", border=False):
        comment = st.text_area(
            "What was it, and what helped?",
            max_chars=LONGEST_COMMENT,
            key=f"resolution-{a.id}",
            placeholder="Shown to the next person who gets this alert",
        )
        if st.form_submit_button("Resolve this alert", type="primary"):
            url = inst.settings.app_url
            attempt(
                lambda: resolve(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id, comment=comment, app_url=url),
                in_passing=True,
            )


def _assign(a: AlertRow) -> None:
    who, inst = session.identity(), resources.installation()
    names = {NOBODY: "Nobody", **people(who.factory_id)}
    with st.popover("Assign", icon=":material/person_add:", key=f"assign-{a.id}"), st.form(f"assign-form-{a.id}", border=False):
        options = list(names)
        current = a.assigned_to_id if a.assigned_to_id in names else NOBODY
        chosen = st.selectbox(
            "Who takes care of it?", options, index=options.index(current), format_func=names.__getitem__, key=f"assignee-{a.id}"
        )
        if st.form_submit_button("Assign", type="primary"):
            attempt(
                lambda: assign(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id, assignee_id=chosen or None),
                in_passing=True,
            )


def _comment(a: AlertRow) -> None:
    who, inst = session.identity(), resources.installation()
    with st.popover("Comment", icon=":material/chat:", key=f"comment-{a.id}"), st.form(f"comment-form-{a.id}", border=False):
        text = st.text_area("What do others need to know?", max_chars=LONGEST_COMMENT, key=f"comment-text-{a.id}")
        if st.form_submit_button("Add the comment", type="primary"):
            attempt(lambda: comment_on(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id, comment=text), in_passing=True)


def _silence(a: AlertRow) -> None:
    who, inst = session.identity(), resources.installation()
    scopes: dict[str, dict[str, Any]] = {
        "This alert on this machine": {"device_id": a.device_id, "rule_id": a.rule_id},
        f"Everything on {a.device_key}": {"device_id": a.device_id},
        "This alert on every machine": {"rule_id": a.rule_id},
        **({f"Everything in {a.region}": {"region": a.region}} if a.region else {}),
        "The whole factory": {},
    }
    with st.popover("Silence", icon=":material/notifications_paused:", key=f"silence-{a.id}"):
        st.caption("Alerts are still recorded; nobody is told, reminded or escalated to until the end.")
        with st.form(f"silence-form-{a.id}", border=False):
            scope = st.selectbox("What?", list(scopes), key=f"silence-scope-{a.id}")
            span = st.selectbox("For how long?", list(SPANS), key=f"silence-span-{a.id}")
            reason = st.text_input(
                "Why?", max_chars=LONGEST_REASON, key=f"silence-reason-{a.id}", placeholder="Such as: spindle is changed"
            )
            if st.form_submit_button("Silence", type="primary"):
                now = inst.clock.now()
                asked = NewSilence(reason, now, now + timedelta(hours=SPANS[span]), **scopes[scope])
                attempt(
                    lambda: silence(inst.db, inst.clock, who.factory_id, asked, user_id=who.user_id), f"Silent for {span}", in_passing=True
                )
