"""What every form of a page does: make a change, say so and show the page as it is now, or say why it could not be made."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import streamlit as st
from pydantic import ValidationError

from dashboards import cache, session, ui
from warehouse.access.audit import Actor
from warehouse.errors import FactoryOpsError

LOOK_ONLY = "Your role only allows to look. A super admin of your factory can change that."


def attempt(change: Callable[[], object], said: str = "", *, in_passing: bool = False) -> None:
    """Makes a change and draws the page anew, with `said` as a passing word; or says why it could not be made.

    It says so in place; or `in_passing`, where the place is a button or a popover that leaves no room for it.
    """
    refusal = _refusal_of(change)
    if refusal is not None:
        say = st.toast if in_passing else st.error
        say(refusal, icon=":material/error:")
        return
    cache.forget(session.identity().factory_id)
    if said:
        st.toast(said, icon=":material/check:")
    st.rerun()


def _refusal_of(change: Callable[[], object]) -> str | None:
    """Makes the change; why it could not be made, or None."""
    try:
        change()
    except FactoryOpsError as problem:
        return problem.message
    except ValidationError as wrong:
        return "; ".join(explained(wrong))
    return None


def explained(wrong: ValidationError) -> list[str]:
    """What is wrong with which field, in words."""
    return [f"{' '.join(str(part) for part in e['loc'])}: {e['msg'].removeprefix('Value error, ')}".lstrip(": ") for e in wrong.errors()]


def actor() -> Actor:
    """The person of this run as the audit trail names them."""
    who = session.identity()
    return Actor(who.factory_id, who.user_id, st.context.ip_address)


def is_sure(label: str, question: str, key: str, *, icon: str = ":material/delete:") -> bool:
    """A button that asks once more; True in the run in which the person said yes."""
    with st.popover(label, icon=icon, key=f"ask-{key}"):
        st.caption(question)
        return st.button(label, type="primary", key=f"yes-{key}")


def current_tab(words: Mapping[str, str]) -> str:
    """The tab that the address asks for; the first one when it names none that there is."""
    asked = st.query_params.get("tab", "")
    return asked if asked in words else next(iter(words))


def tabs(path: str, words: Mapping[str, str], current: str, **keep: str) -> None:
    """The sides of a page as links, so that each has an address of its own; `keep` stays in the address."""
    links = ""
    for key, word in words.items():
        query = urlencode({**keep, **({"tab": key} if key else {})})
        links += ui.link(f"{path}?{query}" if query else path, word, "on" if key == current else "")
    ui.draw(f'<nav class="tabs" aria-label="Parts of this page">{links}</nav>')


def look_only() -> None:
    """For viewers, in place of a form."""
    ui.draw(ui.state_panel("forbidden small", "lock", "You can look at this", LOOK_ONLY))
