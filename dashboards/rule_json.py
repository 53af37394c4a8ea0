"""The condition as JSON, for those who know the language: what is typed becomes the form, and the form becomes this."""

import json
from dataclasses import replace

import streamlit as st

from dashboards import rule_state, ui
from dashboards.rule_draft import Draft, definition_of, opened
from warehouse.errors import InvalidInputError


def json_view(draft: Draft) -> None:
    """A text area; a mistake is told with its place and changes nothing."""
    key = f"{draft.prefix}-json"
    if key not in st.session_state:
        st.session_state[key] = json.dumps(definition_of(draft, {}) or {}, indent=2, ensure_ascii=False)
    st.text_area("Condition as JSON", key=key, height=360, label_visibility="collapsed")
    if st.button("Use this", icon=":material/check:", key=f"{draft.prefix}-json-use"):
        try:
            rule_state.keep(with_document(draft, st.session_state[key]))
        except InvalidInputError as wrong:
            ui.draw(f'<div class="wrong" role="alert">{ui.icon("medium")} {ui.escaped(wrong.message)}</div>')
            return
        st.session_state.pop(f"{draft.prefix}-view", None)
        st.rerun()


def with_document(draft: Draft, text: str) -> Draft:
    """The draft with another definition. Raises InvalidInputError with the place of a mistake. Pure but for fresh keys."""
    try:
        document = json.loads(text)
    except ValueError as wrong:
        raise InvalidInputError(f"this is no JSON: {wrong}", path="$") from wrong
    fresh = opened({"name": draft.name, "conditions": document}, (), rule_state.prefix())
    return replace(
        draft, prefix=fresh.prefix, tree=fresh.tree, clear=fresh.clear, off_delay=fresh.off_delay, auto_resolve=fresh.auto_resolve
    )
