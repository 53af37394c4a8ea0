"""The audit trail: who did what to what, searched, and taken away as a file that can be checked elsewhere."""

import json
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from typing import Any, Final

import streamlit as st

from dashboards import fmt, resources, session, ui
from dashboards.audit_words import action_words, target_words
from dashboards.fmt import Local
from warehouse.access import audit_trail, people
from warehouse.access.audit_trail import Event, Wanted

PAGE_SIZE: Final = 50
KINDS: Final = {
    "alert.": "Alerts",
    "rule.": "Rules",
    "device.": "Machines",
    "session.": "Sign-ins",
    "user.": "People",
    "factory.": "Factory settings",
    "report": "Reports",
    "dead_letter.": "Refused messages",
    "silence.": "Silences",
    "api_key.": "Keys for programs",
}


def audit() -> None:
    """The tab."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    with st.container(key="card-audit"):
        ui.draw(ui.section("Audit trail", "every change, chained so that none can be edited or removed unseen"))
        wanted = _filters(local)
        page = st.session_state.get("audit-page", 1)
        events, total = audit_trail.page_of(inst.db, who.factory_id, wanted, PAGE_SIZE, (page - 1) * PAGE_SIZE)
        if not events and page > 1:
            events, total = audit_trail.page_of(inst.db, who.factory_id, wanted, PAGE_SIZE, 0)
        if not total:
            ui.draw(ui.state_panel("empty", "search", "No event fits", "Choose a longer time, or fewer filters."))
            return
        ui.draw(f"<small>{fmt.plural(total, 'event')}, newest first</small>", rows(events, local))
        if total > PAGE_SIZE:
            st.pagination(-(-total // PAGE_SIZE), key="audit-page")
        _export(wanted)


def _filters(local: Local) -> Wanted:
    who, inst = session.identity(), resources.installation()
    names = {user.id: user.name or user.email for user in people.people(inst.db, who.factory_id)}
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        target = st.text_input(
            "What", placeholder="On one thing, such as device:12", label_visibility="collapsed", width=240, key="audit-target"
        )
        person = st.selectbox(
            "Who", list(names), None, format_func=lambda key: names.get(key, ""), placeholder="Everybody",
            label_visibility="collapsed", width=180, key="audit-who",
        )  # fmt: skip
        kind = st.selectbox(
            "Kind", list(KINDS), None, format_func=lambda key: KINDS.get(key, key), placeholder="Everything",
            label_visibility="collapsed", width=180, key="audit-kind",
        )  # fmt: skip
        nothing: Any = ()  # an empty range: Streamlit takes it and its types do not
        days = st.date_input("Days", nothing, max_value=local.now.date(), label_visibility="collapsed", width=220, key="audit-days")
    start, end = _moments(days, local)
    return Wanted(start, end, person, kind, target.strip() or None)


def _moments(days: Any, local: Local) -> tuple[datetime | None, datetime | None]:
    """From the first to the last chosen day of the factory, both included."""
    if not days:
        return None, None
    first, last = days[0], days[-1]

    def midnight(day: date) -> datetime:
        return datetime.combine(day, time(), local.zone).astimezone(UTC)

    return midnight(first), midnight(last + timedelta(days=1))


def rows(events: list[Event], local: Local) -> str:
    """Events as a table: when, who, what, from where, and what changed."""
    head = "<tr><th>When</th><th>Who</th><th>What</th><th>On</th><th>Change</th></tr>"
    return f'<table class="plain audit"><thead>{head}</thead><tbody>{"".join(_row(event, local) for event in events)}</tbody></table>'


def _row(event: Event, local: Local) -> str:
    row = event.row
    reason = f'<small class="block">{escape(row.reason)}</small>' if row.reason else ""
    return (
        f"<tr><td>{ui.moment(row.happened_at, local)}</td>"
        f'<td>{escape(event.user_email or "The system")}<small class="block">{escape(row.address or "")}</small></td>'
        f'<td title="{escape(row.action, quote=True)}"><b>{escape(action_words(row.action))}</b></td>'
        f'<td title="{escape(row.target, quote=True)}">{escape(target_words(row.target))}</td>'
        f'<td class="change">{change(row.before, row.after, local)}{reason}</td></tr>'
    )


def change(before: dict[str, Any] | None, after: dict[str, Any] | None, local: Local | None = None) -> str:
    """What is different now, in words: `name: old → new`, moments on the factory's clock; HTML out. Pure.

    What something new does not have is left out.
    """
    old, new = before or {}, after or {}
    lines = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name in old and name in new:
            if old[name] != new[name]:
                lines.append(f"{_word(name)}: {_value(old[name], local)} → {_value(new[name], local)}")
        elif (only := new.get(name, old.get(name))) not in (None, ""):
            lines.append(f"{_word(name)}: {_value(only, local)}")
    return "<br>".join(lines[:6]) + ("<br>…" if len(lines) > 6 else "")


def _word(name: str) -> str:
    return escape(name.replace("_", " "))


def _value(value: Any, local: Local | None) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        on = [name.replace("_", " ") for name, given in value.items() if given is True]
        text = ", ".join(on) if on and all(isinstance(v, bool) for v in value.values()) else _plain(value)
    elif isinstance(value, list):
        text = ", ".join(_plain(part) if isinstance(part, dict) else str(part) for part in value)
    else:
        text = _moment(str(value), local) or str(value)
    return escape(text if len(text) <= 120 else text[:119] + "…")


def _plain(value: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_text(each)}" for name, each in value.items())


def _text(value: Any) -> str:
    """A part of something larger: lists by their parts, what is nested deeper as JSON."""
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        return " ".join(str(part) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _moment(text: str, local: Local | None) -> str:
    """A moment as the trail writes it, on the factory's clock; empty for any other text."""
    if local is None or "T" not in text:
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return local.stamp(found) if found.tzinfo else ""


def _export(wanted: Wanted) -> None:
    """All events that fit, as files; and whether the whole trail is as it was written."""
    who, inst = session.identity(), resources.installation()

    def told(form: Any) -> str:
        return "".join(form(audit_trail.events_of(inst.db, who.factory_id, wanted)))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Export as CSV", lambda: told(audit_trail.as_csv), f"audit-{who.factory_slug}.csv", "text/csv",
            icon=":material/download:", on_click="ignore", key="audit-csv",
        )  # fmt: skip
        st.download_button(
            "Export as JSON", lambda: told(audit_trail.as_json_lines), f"audit-{who.factory_slug}.jsonl", "application/x-ndjson",
            icon=":material/download:", on_click="ignore", key="audit-json",
        )  # fmt: skip
        if st.button("Check the chain", icon=":material/verified:", key="audit-verify"):
            found = audit_trail.verify(inst.db, who.factory_id)
            if found.is_whole:
                st.success(f"All {found.events:,} events are as they were written. Newest hash: {found.head[:16]}…")
            else:
                st.error(f"The trail is not whole: {'; '.join(found.problems[:5])}", icon=":material/error:")
