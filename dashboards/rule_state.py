"""The drafts that a person edits, kept in their session: what is typed goes in at once, whatever page they visit in between."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboards.rule_draft import Draft
from dashboards.rule_tree import Tree

DRAFTS, CHOSEN = "rule-drafts", "rule-chosen"
MOST_DRAFTS: Final = 10


def prefix() -> str:
    """For the widgets of a document that is opened now."""
    return secrets.token_hex(3)


def choose(place: str) -> None:
    """Which draft is being edited: what the page was asked for."""
    st.session_state[CHOSEN] = place


def current() -> Draft | None:
    """The draft that is being edited."""
    return st.session_state.get(DRAFTS, {}).get(st.session_state.get(CHOSEN))


def keep(draft: Draft | None, place: str = "") -> None:
    """Makes it the draft of a place (of the chosen one when there is none); None forgets it."""
    drafts = dict(st.session_state.get(DRAFTS, {}))
    drafts.pop(place or st.session_state[CHOSEN], None)
    if draft is not None:
        drafts[place or st.session_state[CHOSEN]] = draft
    st.session_state[DRAFTS] = dict(list(drafts.items())[-MOST_DRAFTS:])


def update(**what: Any) -> None:
    """Other values in the draft that is being edited."""
    draft = current()
    if draft is not None:
        keep(replace(draft, **what))


def tree_of(slot: str) -> Tree | None:
    """The condition in a slot of the draft: `tree` or `clear`."""
    draft = current()
    return getattr(draft, slot) if draft else None


def grow(slot: str, changed: Callable[..., Tree], *given: Any) -> None:
    """Another tree in a slot: `changed(tree, *given)`."""
    tree = tree_of(slot)
    if tree is not None:
        update(**{slot: changed(tree, *given)})


def shown(key: str, value: Any) -> str:
    """The key of a widget that shows `value`, whatever it showed before; gives the key."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return key
