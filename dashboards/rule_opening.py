"""What the page of a rule was asked for: a saved one, a copy, a ready-made one, or a new one."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from dashboards import resources, rule_data, rule_state
from dashboards.rule_data import Known
from dashboards.rule_draft import Draft, empty, opened
from dashboards.rule_editor import first_parameter
from dashboards.rule_tree import add_leaf
from rules.as_code import templates
from rules.keeping import KeptRule, find_rule
from warehouse.errors import NotFoundError

ORIGINS = "rule-origins"


@dataclass(frozen=True)
class Asked:
    """What is edited."""

    place: str
    """Of the draft."""
    kept: KeptRule | None
    """The saved rule; None: there is none yet."""


def asked(factory_id: int, query: Mapping[str, str], known: Known) -> Asked:
    """Sees to it that there is a draft of what the address says.

    Raises NotFoundError for what is not there, InvalidInputError for a rule whose condition cannot be read.
    """
    kept = _kept(factory_id, query.get("id", "")) if "id" in query else None
    source = next((f"{name}={query[name]}" for name in ("id", "copy", "template") if name in query), "new")
    rule_state.choose(source)
    draft = rule_state.current()
    is_old = kept is not None and draft is not None and not is_changed(source, draft) and draft.seen_at != kept.rule.updated_at
    if draft is None or is_old:
        fresh = _fresh(factory_id, query, kept, known)
        rule_state.keep(fresh)
        st.session_state[ORIGINS] = {**st.session_state.get(ORIGINS, {}), source: fresh}
    return Asked(source, kept)


def is_changed(place: str, draft: Draft) -> bool:
    """Whether there is something to save: what is not saved yet always is."""
    return draft.rule_id is None or st.session_state.get(ORIGINS, {}).get(place) != draft


def _fresh(factory_id: int, query: Mapping[str, str], kept: KeptRule | None, known: Known) -> Draft:
    prefix = rule_state.prefix()
    if kept is not None:
        fields = rule_data.columns_of(kept)
        return opened(fields, kept.device_ids, prefix, rule_id=kept.rule.id, seen_at=kept.rule.updated_at)
    if "copy" in query:
        source = _kept(factory_id, query["copy"])
        fields = {**rule_data.columns_of(source), "name": f"{source.rule.name} (copy)"}
        return opened(fields, source.device_ids, prefix)
    if "template" in query:
        found = templates().get(query["template"])
        if found is None:
            raise NotFoundError("there is no such ready-made rule", noun="template", key=query["template"])
        return opened(found, (), prefix)
    draft = empty(prefix)
    return Draft(prefix, add_leaf(draft.tree, draft.tree.root.id, first_parameter(known)))


def _kept(factory_id: int, text: str) -> KeptRule:
    if not (text.isdecimal() and len(text) < 10):
        raise NotFoundError("there is no such rule in this factory", noun="rule", key=text)
    return find_rule(resources.installation().db, factory_id, int(text))
