"""The history of a rule: who changed what when, from the audit trail, and a way back."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from dashboards import rule_data, rule_state, session, ui
from dashboards.rule_data import Known, Version
from dashboards.rule_draft import opened
from dashboards.rule_sentence import machines, sentence
from rules.keeping import KeptRule
from rules.parse import parse_definition
from rules.schedule_words import schedule_words
from rules.store import channels_of
from rules.wording import definition_words, minutes_words, plain
from warehouse.errors import InvalidInputError

NAMES = {
    "name": "Name", "description": "Description", "scope": "Machines", "conditions": "Condition", "cooldown_minutes": "Not again for",
    "severity": "Severity", "schedule_type": "Applies", "notification_channels": "People are told by", "is_active": "The rule is",
}  # fmt: skip


def versions(kept: KeptRule, known: Known) -> None:
    """All saved states, newest first."""
    who, local = session.identity(), session.local()
    found = rule_data.versions(who.factory_id, kept.rule.id)
    if not found:
        text = "It was made before changes were written down, by a demo or an import. The next change appears here."
        ui.draw(ui.state_panel("empty", "clock", "No versions are known of this rule", text))
        return
    present = rule_data.columns_of(kept)
    for version in found:
        with st.container(key=f"card-version-{version.number}"):
            is_used = dict(version.fields) == {**present, "is_active": version.fields.get("is_active")} and version.device_ids == tuple(
                kept.device_ids
            )
            note = "as in use" if is_used else ""
            ui.draw(
                ui.section(f"Version {version.number}", note),
                f"<small>{escape(version.by)}, {ui.moment(version.happened_at, local)}</small>",
                _changes(version, known),
            )
            if who.may("create_rules") and not is_used:
                st.button(
                    "Bring this version back into the editor", icon=":material/undo:", key=f"back-{version.number}",
                    on_click=_bring_back, args=(version, kept),
                )  # fmt: skip


def _bring_back(version: Version, kept: KeptRule) -> None:
    place = f"id={kept.rule.id}"
    try:
        draft = opened(version.fields, version.device_ids, rule_state.prefix(), rule_id=kept.rule.id, seen_at=kept.rule.updated_at)
    except InvalidInputError as wrong:
        st.toast(wrong.message, icon=":material/error:")
        return
    rule_state.keep(draft, place)
    st.query_params.from_dict({"id": str(kept.rule.id)})


def _changes(version: Version, known: Known) -> str:
    if version.before is None:
        return f'<p class="sentence">{_whole(version, known)}</p>'
    lines = differences(version.before, {**version.fields, "device_ids": list(version.device_ids)}, known)
    rows = "".join(f"<dt>{escape(name)}</dt><dd><s>{escape(old)}</s> {escape(new)}</dd>" for name, old, new in lines)
    return f'<dl class="facts changes">{rows}</dl>' if rows else "<p>Saved without a change.</p>"


def _whole(version: Version, known: Known) -> str:
    try:
        return sentence(version.fields, version.device_ids, known)
    except InvalidInputError as wrong:
        return escape(wrong.message)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], known: Known) -> list[tuple[str, str, str]]:
    """What was changed, in words: name, before, after. Pure."""
    told = [(name, _told(field, before, known), _told(field, after, known)) for field, name in NAMES.items()]
    return [(name, old, new) for name, old, new in told if old != new]


def _told(field: str, state: Mapping[str, Any], known: Known) -> str:  # noqa: PLR0911  # one a field
    """A field of a rule in words."""
    value = state.get(field)
    match field:
        case "scope":
            return machines(str(value or "global"), _ids(state), known)
        case "conditions":
            return _condition(value, known)
        case "cooldown_minutes":
            return minutes_words(value) if value else "each time"
        case "schedule_type":
            return schedule_words(str(value or "always"), state.get("schedule_config")) or "always"
        case "notification_channels":
            return ", ".join(channels_of(value)) or "nobody"
        case "is_active":
            return "on" if value else "off"
    return str(value or "—")


def _condition(value: Any, known: Known) -> str:
    try:
        when, over = definition_words(parse_definition(value), known.labels)
    except InvalidInputError as wrong:
        return wrong.message
    return plain(f"{when}; over when {over}")


def _ids(state: Mapping[str, Any]) -> Sequence[int]:
    return [int(device_id) for device_id in state.get("device_ids") or ()]


def switched(rule_id: int) -> None:
    """When it was switched on and off."""
    local = session.local()
    found = rule_data.switches(session.identity().factory_id, rule_id)
    if found:
        rows = "".join(
            f"<span><span>{escape(by)} switched it {'on' if is_on else 'off'}</span><b>{ui.moment(at, local)}</b></span>"
            for at, by, is_on in found[:20]
        )
        with st.container(key="card-switched"):
            ui.draw(ui.section("Switched on and off"), f'<div class="lines">{rows}</div>')
