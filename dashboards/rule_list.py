"""The list of rules: what is on, how bad, where, when it last fired; switched on and off in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import quote

import streamlit as st

from dashboards import cache, fmt, resources, session, ui
from dashboards.fmt import Local
from dashboards.rule_data import Known
from dashboards.rule_sentence import machines, short_words
from rules.as_code import templates
from rules.keeping import toggle_rule
from warehouse.access.audit import Actor
from warehouse.errors import FactoryOpsError
from warehouse.queries.rules import RuleRow
from warehouse.terms import SEVERITIES

PAGE_SIZE: Final = 50
STATES: Final = {"on": "On", "off": "Off", "fired": "Fired this week", "quiet": "Never fired"}


@dataclass(frozen=True)
class Filters:
    """What the person asked for; empty means all."""

    text: str = ""
    severity: str | None = None
    state: str | None = None


def matching(rows: Sequence[RuleRow], wanted: Filters, known: Known) -> list[RuleRow]:
    """The rules that fit all filters, in the order given. Pure."""
    words = wanted.text.casefold().split()

    def fits(row: RuleRow) -> bool:
        said = f"{row.name} {row.description} {short_words(row, known)} {machines(row.scope, row.device_ids, known)}".casefold()
        is_state = {
            None: True, "on": row.is_active, "off": not row.is_active, "fired": row.fired_this_week > 0, "quiet": row.last_fired is None,
        }[wanted.state]  # fmt: skip
        return is_state and wanted.severity in {None, row.severity} and all(word in said for word in words)

    return [row for row in rows if fits(row)]


def filters(rows: Sequence[RuleRow]) -> Filters:
    """The row of filters; all but the search are in the address."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="filters"):
        text = st.text_input(
            "Search", placeholder="Search name, parameter, machine", label_visibility="collapsed", width=260, key="rules-q", live=True,
            icon=":material/search:",
        )  # fmt: skip
        state = st.selectbox(
            "State", list(STATES), format_func=STATES.__getitem__, placeholder="On and off", label_visibility="collapsed", width=160,
            **ui.in_url("state", list(STATES)),
        )  # fmt: skip
        severity = st.pills(
            "Severity", list(SEVERITIES), format_func=lambda s: f"{s.capitalize()} {sum(row.severity == s for row in rows)}",
            label_visibility="collapsed", **ui.in_url("severity", list(SEVERITIES)),
        )  # fmt: skip
    return Filters(text or "", severity, state)


def page_of(rows: Sequence[RuleRow]) -> list[RuleRow]:
    """The rows of the page that was chosen."""
    pages = (len(rows) - 1) // PAGE_SIZE + 1
    page = 0
    if pages > 1:
        page = st.segmented_control(
            "Page", range(pages), format_func=lambda p: str(p + 1), default=0, required=True, label_visibility="collapsed", key="rules-page"
        ) or 0  # fmt: skip
        page = min(page, pages - 1)
    return list(rows[page * PAGE_SIZE : (page + 1) * PAGE_SIZE])


def listing(rows: Sequence[RuleRow], known: Known, local: Local) -> None:
    """One row a rule; the switch is there for those who may make rules, others see the word."""
    may_change = session.identity().may("create_rules")
    ui.draw('<div class="rrow rhead"><span>Rule</span><span>Severity</span><span>Machines</span><span class="r">Last fired</span>'
            '<span class="r">7 days</span></div>')  # fmt: skip
    for row in rows:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"rule-row-{row.id}"):
            if may_change:
                _switch(row)
            ui.draw(rule_row(row, known, local, says_state=not may_change))


def rule_row(row: RuleRow, known: Known, local: Local, *, says_state: bool) -> str:
    """Name and condition in words, severity, machines, last alert, alerts of the week."""
    when = ui.moment(row.last_fired, local) if row.last_fired else "<time>never</time>"
    active = f' <span class="chip {row.severity}">{row.active_alerts:,} active</span>' if row.active_alerts else ""
    off = "" if row.is_active or not says_state else ' <span class="chip">Off</span>'
    where = escape(machines(row.scope, row.device_ids, known))
    week = fmt.plural(row.fired_this_week, "alert") if row.fired_this_week else "—"
    body = (
        f'<span class="c-name"><b>{escape(row.name)}{active}{off}</b><small>{escape(short_words(row, known))}</small></span>'
        f'<span class="c-sev">{ui.severity(row.severity)}</span><span class="c-where">{where}</span>'
        f'<span class="r c-fired">{when}</span><span class="r n c-week">{week}</span>'
    )
    return ui.link(rule_url(row.id), body, f"rrow {'' if row.is_active else 'is-off'}")


def rule_url(rule_id: int) -> str:
    """The page of a rule."""
    return f"/rule?id={rule_id}"


def _switch(row: RuleRow) -> None:
    key = f"switch-rule-{row.id}"
    if st.session_state.get(key) != row.is_active:
        st.session_state[key] = row.is_active
    st.toggle(f"{row.name} is on", key=key, label_visibility="collapsed", on_change=_toggle, args=(row.id, row.name))


def _toggle(rule_id: int, name: str) -> None:
    who, inst = session.identity(), resources.installation()
    if not who.may("create_rules"):
        return
    try:
        kept = toggle_rule(inst.db, inst.clock, Actor(who.factory_id, who.user_id), rule_id)
    except FactoryOpsError as problem:
        st.toast(problem.message, icon=":material/error:")
        return
    cache.forget(who.factory_id)
    st.toast(f"{name} is {'on' if kept.rule.is_active else 'off'}", icon=":material/check:")


def offers() -> None:
    """The ready-made rules, as cards that open in the editor."""
    ui.draw(f'<div class="offers">{"".join(_offer(key, one) for key, one in templates().items())}</div>')


def _offer(key: str, one: Mapping[str, Any]) -> str:
    body = f'<span class="what"><b>{escape(one["name"])}</b><small>{escape(one["description"] or "")}</small></span>'
    return ui.link(f"/rule?template={quote(key)}", body + ui.severity(one["severity"]), "offer")
