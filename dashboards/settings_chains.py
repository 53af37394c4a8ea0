"""Escalation chains: who is told next while nobody acknowledges an alert."""

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Final, Literal

import streamlit as st

from dashboards import alert_data, fmt, forms, resources, session, ui
from rules.notify.wishes import LONGEST_MINUTES, MOST_STEPS, ChainRow, ChainStep, NewChain, chains_of, delete_chain, save_chain
from warehouse.terms import SEVERITIES

LEAST: Final = {"low": "All alerts", "medium": "Medium and worse", "high": "High and worse", "critical": "Critical only"}
EVERY_RULE: Final = 0
NOBODY: Final = 0
NEW: Final = 0


def chains() -> None:
    """The list, and the form of the chain that was chosen or of a new one."""
    who, inst = session.identity(), resources.installation()
    names = alert_data.names(who.factory_id)
    found = chains_of(inst.db, who.factory_id)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-chains"):
        ui.draw(ui.section("Escalation", fmt.plural(len(found), "chain") if found else ""))
        if not found:
            text = "Without a chain everybody is told at once, as each prefers, and nobody is told again."
            ui.draw(ui.state_panel("empty", "bell", "No chain yet", text))
        for row in found:
            _row(row, names)
    with right, st.container(key="card-chain"):
        by_id: dict[int, ChainRow | None] = {NEW: None, **{row.chain.id: row for row in found}}
        chosen = st.selectbox(
            "Chain", list(by_id), format_func=lambda key: row.chain.name if (row := by_id[key]) else "A new chain", key="chain-chosen"
        )
        _form(chosen, by_id[chosen], names)


def _row(row: ChainRow, names: alert_data.Names) -> None:
    who, inst = session.identity(), resources.installation()
    with st.container(horizontal=True, vertical_alignment="center", key=f"line-chain-{row.chain.id}"):
        ui.draw(chain_line(row, names))
        question = f"Alerts that stand in {row.chain.name} are not escalated any further."
        if forms.is_sure("Delete", question, f"chain-{row.chain.id}"):
            forms.attempt(partial(delete_chain, inst.db, inst.clock, who.factory_id, row.chain.id, user_id=who.user_id), "Deleted")


def chain_line(row: ChainRow, names: alert_data.Names) -> str:
    """Name, for which alerts, and who is told when."""
    chain = row.chain
    what = names.rules.get(chain.rule_id, "a rule that is gone") if chain.rule_id else "every rule"
    steps = ", then ".join(
        f"{escape(names.people.get(step.user_id, 'somebody who left'))} {_after(step.after_minutes)}" for step in row.steps
    )
    again = (
        f"; reminded every {fmt.span(chain.reminder_every_minutes * 60)}, {fmt.plural(chain.most_reminders, 'time')} at most"
        if chain.reminder_every_minutes
        else ""
    )
    off = ' <span class="chip">Off</span>' if not chain.is_active else ""
    return (
        f'<div class="said"><b>{escape(chain.name)}</b>{off}<span>{steps or "Nobody beyond those who were told first"}{again}</span>'
        f"<small>{LEAST[chain.least_severity]} of {escape(what)}</small></div>"
    )


def _after(minutes: float) -> str:
    return f"after {fmt.span(minutes * 60)}" if minutes else "at once"


def _form(chain_id: int, row: ChainRow | None, names: alert_data.Names) -> None:
    who, inst = session.identity(), resources.installation()
    has = row.chain if row else None
    rules = {EVERY_RULE: "Every rule without a chain of its own", **names.rules}
    with st.form(f"chain-{chain_id}", border=False):
        name = st.text_input("Name", has.name if has else "", max_chars=255, key=f"chain-name-{chain_id}", placeholder="Night shift")
        own = has.rule_id if has and has.rule_id in rules else EVERY_RULE
        rule = st.selectbox("For", list(rules), list(rules).index(own), format_func=rules.__getitem__, key=f"chain-rule-{chain_id}")
        least = st.selectbox(
            "Which alerts?",
            SEVERITIES,
            SEVERITIES.index(has.least_severity if has else "high"),
            format_func=LEAST.__getitem__,
            key=f"chain-least-{chain_id}",
        )
        ui.draw('<p class="cap">Told, until somebody acknowledges</p>')
        steps = _steps(chain_id, row, alert_data.people(who.factory_id))
        every = st.number_input(
            "Remind everybody every so many minutes", 1.0, float(LONGEST_MINUTES), has.reminder_every_minutes if has else None, 5.0,
            "%g", placeholder="never", key=f"chain-every-{chain_id}",
        )  # fmt: skip
        most = st.number_input("Reminders at most", 0, 100, has.most_reminders if has else 3, key=f"chain-most-{chain_id}")
        is_active = st.toggle("In force", has.is_active if has else True, key=f"chain-active-{chain_id}")
        if st.form_submit_button("Save", type="primary"):
            asked = NewChain(name, steps, rule or None, least, every, int(most), is_active)
            forms.attempt(
                lambda: save_chain(inst.db, inst.clock, who.factory_id, asked, user_id=who.user_id, chain_id=chain_id or None), "Saved"
            )


def _steps(chain_id: int, row: ChainRow | None, people: Mapping[int, str]) -> list[ChainStep]:
    """A line for each step, and an empty one."""
    options = {NOBODY: "Nobody", **people}
    known = list(row.steps) if row else []
    found = []
    for number in range(min(len(known) + 2, MOST_STEPS)):
        has = known[number] if number < len(known) else None
        key = f"{chain_id}-{number}"
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"line-step-{key}"):
            label: Literal["collapsed", "visible"] = "collapsed" if number else "visible"
            person = has.user_id if has and has.user_id in options else NOBODY
            chosen = st.selectbox(
                "Who", list(options), list(options).index(person), format_func=options.__getitem__, key=f"step-who-{key}",
                label_visibility=label,
            )  # fmt: skip
            after = st.number_input(
                "Minutes after the alert", 0.0, float(LONGEST_MINUTES), has.after_minutes if has else 15.0 * number, 1.0, "%g",
                key=f"step-after-{key}", label_visibility=label,
            )  # fmt: skip
        if chosen != NOBODY:
            found.append(ChainStep(float(after), chosen))
    return found
