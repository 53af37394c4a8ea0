"""A new critical alert is told on whatever page somebody looks at: a toast, and a sound for those who want one."""

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st

from dashboards import loads, session, visits
from warehouse.queries.alerts import AlertRow
from warehouse.terms import SEVERITIES

KNOWN: Final = "alarm-known"
MOST_TOASTS: Final = 3


def new_criticals(found: Sequence[AlertRow], known: frozenset[int] | None) -> list[AlertRow]:
    """The critical alerts that were not there at the last look, newest last; none at the first look. Pure."""
    if known is None:
        return []
    fresh = [a for a in found if a.severity == SEVERITIES[0] and a.id not in known and a.status == "new" and not a.is_silenced]
    return sorted(fresh, key=lambda a: (a.triggered_at, a.id))


def look() -> str:
    """Tells what is new; part of what refreshes on every page. Gives the HTML that screen readers and session.js hear it by."""
    found = loads.active_alerts(session.identity().factory_id)
    known: frozenset[int] | None = st.session_state.get(KNOWN)
    fresh = new_criticals(found, known)
    st.session_state[KNOWN] = frozenset(a.id for a in found) | (known or frozenset())
    for alert in fresh[-MOST_TOASTS:]:
        st.toast(f"**{_plain(alert.device_key)}** {_plain(alert.title)}", icon=":material/emergency_home:", duration="long")
    if len(fresh) > MOST_TOASTS:
        st.toast(f"{len(fresh) - MOST_TOASTS} more critical alerts", icon=":material/emergency_home:", duration="long")
    # Read by session.js: it plays when the number changes. Always there, so that nothing on the page moves.
    newest = max((a.id for a in fresh), default=st.session_state.get("alarm-newest", 0))
    st.session_state["alarm-newest"] = newest
    sound = f' data-alarm="{newest}"' if visits.wants_sound() else ""
    said = "; ".join(f"{escape(a.device_key)} {escape(a.title)}" for a in fresh)
    words = f"New critical alert: {said}" if fresh else ""
    return f'<span class="alarm" role="status" aria-live="assertive"{sound}>{words}</span>'


def _plain(text: str) -> str:
    """Without what Markdown would read as marks."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+-.!|<>~:$" else letter for letter in text)


def sound_choice() -> None:
    """The switch; remembered for the person."""
    key = "wants-sound"
    if key not in st.session_state:
        st.session_state[key] = visits.wants_sound()
    st.toggle("Sound for new critical alerts", key=key, on_change=_chosen, args=(key,))


def _chosen(key: str) -> None:
    visits.remember_sound(is_wanted=bool(st.session_state[key]))
