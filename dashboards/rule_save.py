"""Warnings, and saving: never over what somebody else changed meanwhile without saying so."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboards import cache, resources, rule_data, rule_state, session, ui
from dashboards.rule_draft import Checked, Draft
from rules.keeping import KeptRule, add_rule, change_rule, delete_rule
from warehouse.access.audit import Actor
from warehouse.errors import FactoryOpsError, RetryableError


def warnings(draft: Draft, checked: Checked) -> None:
    """What its author probably did not mean; live while they type."""
    if checked.fields is None:
        count = len(checked.errors)
        text = "One field is not right yet." if count == 1 else f"{count} fields are not right yet."
        ui.draw(f'<div class="lint">{ui.icon("medium", "medium-f")}<span><b>{text}</b> What is wrong stands below each.</span></div>')
        return
    try:
        found = rule_data.warned(session.identity().factory_id, checked.fields, draft.device_ids, draft.rule_id)
    except RetryableError:
        ui.draw(
            f'<div class="lint">{ui.icon("clock")}<span>It could not be compared with the last 30 days: the history is away.</span></div>'
        )
        return
    if not found:
        ui.draw(f'<div class="lint">{ui.icon("check")}<span>Compared with the last 30 days: nothing to warn of.</span></div>')
    for text in found:
        words = ui.escaped(text[:1].upper() + text[1:])
        ui.draw(f'<div class="lint" role="status">{ui.icon("medium", "medium-f")}<span>{words}.</span></div>')


def saving(draft: Draft, checked: Checked, kept: KeptRule | None, *, is_changed: bool) -> None:
    """The buttons."""
    theirs = kept is not None and draft.seen_at is not None and kept.rule.updated_at != draft.seen_at
    if theirs:
        ui.draw(
            f'<div class="strip" role="status">{ui.icon("clock")}<span><b>Somebody changed this rule after you opened it.</b> '
            "Saving puts yours in its place; theirs stays among the versions.</span></div>"
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="save-row"):
        label = "Save the rule" if kept is None else "Save over theirs" if theirs else "Save changes"
        if st.button(label, type="primary", icon=":material/check:", key="save-rule", disabled=checked.fields is None or not is_changed,
                     shortcut="Ctrl+S"):  # fmt: skip
            _save(draft, checked.fields or {}, kept)
        if is_changed and st.button("Discard changes", type="tertiary", key="discard-rule"):
            rule_state.keep(None)
            st.rerun()
        if kept is not None:
            st.space("stretch")
            _delete(kept)


def _save(draft: Draft, fields: dict[str, Any], kept: KeptRule | None) -> None:
    who, inst = session.identity(), resources.installation()
    if not who.may("create_rules"):
        return
    actor = Actor(who.factory_id, who.user_id)
    devices: Sequence[int] = draft.device_ids if draft.scope == "device" else ()
    try:
        saved = (
            add_rule(inst.db, inst.clock, actor, fields, devices)
            if kept is None
            else change_rule(inst.db, inst.clock, actor, kept.rule.id, fields, devices)
        )
    except FactoryOpsError as problem:
        st.error(problem.message, icon=":material/error:")
        return
    rule_state.keep(None)
    cache.forget(who.factory_id)
    st.toast(
        f"{saved.rule.name} is saved" + (" and watches from now on" if saved.rule.is_active else ", and is off"), icon=":material/check:"
    )
    st.query_params.from_dict({"id": str(saved.rule.id)})
    st.rerun()


def _delete(kept: KeptRule) -> None:
    with st.popover("Delete", type="tertiary", icon=":material/delete:", key="delete-rule"):
        st.caption("Its alerts are deleted with it. To keep them, switch the rule off instead.")
        if st.button("Delete this rule and its alerts", key="delete-rule-really"):
            who, inst = session.identity(), resources.installation()
            try:
                delete_rule(inst.db, inst.clock, Actor(who.factory_id, who.user_id), kept.rule.id)
            except FactoryOpsError as problem:
                st.error(problem.message, icon=":material/error:")
                return
            rule_state.keep(None)
            cache.forget(who.factory_id)
            st.toast(f"{kept.rule.name} is deleted", icon=":material/check:")
            st.switch_page("views/rules.py")
