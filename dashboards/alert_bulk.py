"""Several alerts at once: acknowledge, assign, resolve."""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from dashboards import cache, fmt, resources, session, ui
from dashboards.alert_actions import NOBODY
from dashboards.alert_data import people
from dashboards.fmt import Local
from rules.alerts import LONGEST_COMMENT, acknowledge, assign, resolve
from warehouse.errors import FactoryOpsError
from warehouse.queries.alerts import AlertRow

MOST: Final = 50
"""Rows with a box; of more, a filter helps."""
CHOSEN: Final = "alerts-chosen"
"""Boxes have this number in their keys: a new one clears them all."""


def several(shown: Sequence[AlertRow], local: Local) -> None:
    """The list with a box beside each alert, and what can be done with those that are ticked."""
    part = list(shown[:MOST])
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="bulk-head"):
        is_all = st.checkbox(f"All {len(part)}", key=f"bulk-all-{_round()}")
        slot = st.container(horizontal=True, gap="xsmall", key="bulk-act")
    ticked = []
    for a in part:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key=f"bulk-row-{a.id}"):
            is_ticked = st.checkbox(
                f"{a.device_key} {a.title}", is_all, key=f"bulk-{a.id}-{_round()}-{is_all}", label_visibility="collapsed"
            )
            ui.draw(ui.alert_row(a, local))
        if is_ticked:
            ticked.append(a)
    if len(shown) > MOST:
        ui.draw(f'<div class="row"><small>The first {MOST} of {len(shown)}; search or filter to reach others.</small></div>')
    with slot:
        _acts(ticked)


def _round() -> int:
    return int(st.session_state.get(CHOSEN, 0))


def _acts(ticked: Sequence[AlertRow]) -> None:
    who, inst = session.identity(), resources.installation()
    open_ones = [a for a in ticked if not a.resolved_at]
    fresh = [a for a in open_ones if not a.acknowledged_at]
    if st.button(f"Acknowledge {len(fresh)}", type="primary", icon=":material/check:", key="bulk-acknowledge", disabled=not fresh):
        done(fresh, lambda a: acknowledge(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id), "acknowledged")
    with st.popover(f"Resolve {len(open_ones)}", icon=":material/task_alt:", disabled=not open_ones, key="bulk-resolve"):
        comment = st.text_area("What was it, and what helped?", max_chars=LONGEST_COMMENT, key="bulk-comment")
        if st.button(f"Resolve {fmt.plural(len(open_ones), 'alert')}", type="primary", key="bulk-resolve-really"):
            url = inst.settings.app_url
            done(
                open_ones,
                lambda a: resolve(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id, comment=comment, app_url=url),
                "resolved",
            )
    with st.popover(f"Assign {len(open_ones)}", icon=":material/person_add:", disabled=not open_ones, key="bulk-assign"):
        names = {NOBODY: "Nobody", **people(who.factory_id)}
        chosen = st.selectbox("Who takes care of them?", list(names), format_func=names.__getitem__, key="bulk-assignee")
        if st.button(f"Assign {fmt.plural(len(open_ones), 'alert')}", type="primary", key="bulk-assign-really"):
            done(
                open_ones,
                lambda a: assign(inst.db, inst.clock, who.factory_id, a.id, user_id=who.user_id, assignee_id=chosen or None),
                "assigned",
            )


def done(alerts: Sequence[AlertRow], change: Callable[[AlertRow], object], word: str) -> None:
    """Changes one after the other, each with its own line in the history, and says how many."""
    problems: list[str] = []
    for a in alerts:
        try:
            change(a)
        except FactoryOpsError as problem:
            problems.append(problem.message)
    cache.forget(session.identity().factory_id)
    st.toast(f"{fmt.plural(len(alerts) - len(problems), 'alert')} {word}", icon=":material/check:")
    if problems:
        st.toast(f"{len(problems)} not: {problems[0]}", icon=":material/error:")
    st.session_state[CHOSEN] = _round() + 1
    st.rerun()
