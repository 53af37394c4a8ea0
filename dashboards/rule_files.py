"""All rules as one YAML file: download it, edit it, see what importing it would change, import it."""

from collections.abc import Sequence
from html import escape
from typing import Final

import streamlit as st

from dashboards import cache, resources, session, ui
from rules.as_code import Change, compare_rules, export_rules, import_rules
from warehouse.access.audit import Actor
from warehouse.errors import FactoryOpsError, InvalidInputError

LARGEST_BYTES: Final = 1_000_000
KINDS: Final = {"new": "New", "changed": "Changed", "same": "The same", "only here": "Only here, stays as it is"}


def files() -> None:
    """The tab."""
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-export"):
        ui.draw(ui.section("Take them out"))
        who, inst = session.identity(), resources.installation()
        st.caption("Machines are named by their keys, so that the file fits another installation too.")
        st.download_button(
            "Download rules.yaml",
            lambda: export_rules(inst.db, who.factory_id),
            f"rules-{who.factory_slug}.yaml",
            "application/yaml",
            icon=":material/download:",
            key="rules-export",
        )
    with right, st.container(key="card-import"):
        ui.draw(ui.section("Bring them in"))
        if session.identity().may("create_rules"):
            _import()
        else:
            ui.draw(ui.state_panel("forbidden small", "lock", "Looking only", "Importing rules needs the permission “create rules”."))


def _import() -> None:
    uploaded = st.file_uploader("A YAML file of rules", type=["yaml", "yml"], key="rules-file", label_visibility="collapsed")
    if uploaded is None:
        st.caption("Rules are made and changed by name. You see the difference first; a file with one mistake changes nothing.")
        return
    who, inst = session.identity(), resources.installation()
    try:
        text = _text(uploaded.getvalue())
        changes = compare_rules(inst.db, who.factory_id, text)
    except InvalidInputError as wrong:
        ui.draw(ui.state_panel("error small", "high", "This file cannot be imported", wrong.message))
        return
    ui.draw(difference(changes))
    count = sum(one.kind in {"new", "changed"} for one in changes)
    if count and st.button(f"Import {count}", type="primary", icon=":material/upload:", key="rules-import"):
        try:
            import_rules(inst.db, inst.clock, Actor(who.factory_id, who.user_id), text)
        except FactoryOpsError as problem:
            st.error(problem.message, icon=":material/error:")
            return
        cache.forget(who.factory_id)
        st.toast(f"{count} imported", icon=":material/check:")
        st.rerun()


def _text(data: bytes) -> str:
    if len(data) > LARGEST_BYTES:
        raise InvalidInputError(f"the file has {len(data):,} bytes; at most {LARGEST_BYTES:,} are read", path="$")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise InvalidInputError("the file is no text in UTF-8", path="$") from wrong


def difference(changes: Sequence[Change]) -> str:
    """What importing would do, rule by rule. Pure."""
    rows = []
    for kind, word in KINDS.items():
        of_kind = [one for one in changes if one.kind == kind]
        if of_kind and kind in {"new", "changed"}:
            rows += [_row(one, word) for one in of_kind]
        elif of_kind:
            names = ", ".join(escape(one.name) for one in of_kind[:20])
            rows.append(f'<div class="said"><b>{word}: {len(of_kind)}</b><small>{names}</small></div>')
    return "".join(rows) or '<div class="said"><b>The file holds no rules.</b></div>'


def _row(one: Change, word: str) -> str:
    lines = "".join(f"<span>{escape(line)}</span>" for line in one.differences)
    return f'<div class="said"><b>{word}: {escape(one.name)}</b>{lines}</div>'
