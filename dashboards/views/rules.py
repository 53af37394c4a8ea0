"""All rules: what watches this factory, how often it fires, on and off; ready-made ones; as a file."""

from dataclasses import dataclass

import streamlit as st

from dashboards import frame, rule_data, rule_list, session, ui
from dashboards.fmt import Local
from dashboards.rule_data import Known
from dashboards.rule_files import files
from warehouse.queries.rules import RuleRow

TABS = {"": "Rules", "templates": "Ready-made", "files": "As a file"}


@dataclass(frozen=True)
class Data:
    """Everything in the list."""

    rows: list[RuleRow]
    known: Known


def load(factory_id: int) -> Data:
    """All rules of the factory and the names that they use."""
    return Data(rule_data.rules(factory_id), rule_data.known(factory_id))


def draw(data: Data, local: Local) -> None:
    """The list below the tabs."""
    may_make = session.identity().may("create_rules")
    if not data.rows:
        text = "A rule says when people are told about a machine. Begin with a ready-made one, or build your own."
        ui.draw(ui.state_panel("empty", "rule", "No rules yet", text, ui.link("/rule?new=1", "Build a rule") if may_make else ""))
        if may_make:
            rule_list.offers()
        return
    wanted = rule_list.filters(data.rows)
    shown = rule_list.matching(data.rows, wanted, data.known)
    if not shown:
        clear = ui.link("/rules", "Clear the filters")
        ui.draw(ui.state_panel("empty", "search", "No rule matches", "Nothing fits the search and all filters together.", clear))
        return
    part = rule_list.page_of(shown)
    on = sum(row.is_active for row in data.rows)
    count = f"{len(shown)} of {len(data.rows)} rules" if len(shown) < len(data.rows) else f"{len(data.rows)} rules"
    new = ui.link("/rule?new=1", f"{ui.icon('plus')} New rule", "button-link") if may_make else ""
    ui.draw(
        f'<div class="row"><small>{count}, {on} on, {sum(row.fired_this_week for row in data.rows):,} alerts in 7 days</small>{new}</div>'
    )
    rule_list.listing(part, data.known, local)


@st.fragment(run_every="10s")
def live() -> None:
    """Loads and draws again by itself."""
    with frame.loading("rules", 62, 100, 92, 100, 84, 92):
        data = load(session.identity().factory_id)
    with st.container(key="card-rules"):
        draw(data, session.local())


def ready_made() -> None:
    """The ten templates."""
    with st.container(key="card-templates"):
        ui.draw(ui.section("Ready-made rules", "limits are starting points: try them on your history"))
        if session.identity().may("create_rules"):
            rule_list.offers()
        else:
            ui.draw(ui.state_panel("forbidden", "lock", "Looking only", "Making rules needs the permission “create rules”."))


def tabs(current: str) -> None:
    """The sides of rules, as links: each has its own address."""
    links = "".join(ui.link(f"/rules?tab={key}" if key else "/rules", word, "on" if key == current else "") for key, word in TABS.items())
    ui.draw(f'<nav class="tabs" aria-label="Rules">{links}</nav>')


frame.header("Rules")
tab = st.query_params.get("tab", "")
tab = tab if tab in TABS else ""
tabs(tab)
{"": live, "templates": ready_made, "files": files}[tab]()
frame.tabbar("more")
