"""What follows from the condition: severity, machines, how often, when, who is told, and when it is over."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboards import ui
from dashboards.alert_parts import CHANNEL_WORDS
from dashboards.rule_data import Known
from dashboards.rule_draft import EVERY_DAY, OWN_HOURS, Draft, Span, Window
from dashboards.rule_editor import editor, first_parameter
from dashboards.rule_state import current, prefix, shown, update
from dashboards.rule_tree import add_leaf, new_tree
from rules.schedule_words import DAY_NAMES
from warehouse.models.alerting import CHANNELS
from warehouse.terms import SEVERITIES

SCOPES: Final = {"global": "All machines", "device": "Chosen machines"}
DAYS: Final = dict(enumerate(DAY_NAMES, start=1))
Errors = Mapping[tuple[str, str], str]


def then(draft: Draft, known: Known, errors: Errors) -> None:
    """The card below the condition."""
    left, middle, right = st.columns([1, 1.35, 1.1], gap="small")
    with left:
        _choice(draft, "severity", "Severity", {level: level.capitalize() for level in SEVERITIES})
        text_field(draft, "cooldown", "Not again for, in minutes")
        wrong(errors, "cooldown")
    with middle:
        _choice(draft, "scope", "Machines", SCOPES)
        if draft.scope == "device":
            _machines(draft, known)
            wrong(errors, "devices")
        _counting(draft)
    with right:
        _channels(draft)
        _switch(draft, "is_active", "The rule is on")
    ui.draw(ui.section("When it applies", "" if draft.windows or draft.spans else "always"))
    _schedule(draft, known)
    wrong(errors, "schedule")


def over(draft: Draft, known: Known, errors: Errors) -> None:
    """When an alert of the rule is over."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="over-row"):
        has_own = draft.clear is not None
        st.toggle("Over by a condition of its own", key=shown(f"{draft.prefix}-own-clear", has_own), on_change=_own_clear,
                  args=(f"{draft.prefix}-own-clear", first_parameter(known)))  # fmt: skip
        _switch(draft, "auto_resolve", "Then resolve by itself")
    if draft.clear is not None:
        editor("clear", known, errors)
    wrong(errors, "clear")
    text_field(draft, "off_delay", "Only when it has been over for so many minutes (empty: at once)")
    wrong(errors, "off_delay")


def wrong(errors: Errors, name: str) -> None:
    """What is wrong with a field that is not of the condition, right below it."""
    if text := errors.get(("draft", name)):
        ui.draw(f'<div class="wrong" role="alert">{ui.icon("medium")} {ui.escaped(text)}</div>')


def text_field(draft: Draft, name: str, label: str, **more: Any) -> None:
    """A field of the draft that holds text."""
    key = shown(f"{draft.prefix}-{name}", getattr(draft, name))
    st.text_input(label, key=key, live=True, on_change=_take, args=(name, key), **more)


def _choice(draft: Draft, name: str, label: str, options: Mapping[str, str]) -> None:
    key = shown(f"{draft.prefix}-{name}", getattr(draft, name))
    st.selectbox(label, list(options), format_func=lambda value: options.get(value, value), key=key, on_change=_take, args=(name, key))


def _switch(draft: Draft, name: str, label: str) -> None:
    key = shown(f"{draft.prefix}-{name}", getattr(draft, name))
    st.toggle(label, key=key, on_change=_take, args=(name, key))


def _take(name: str, key: str) -> None:
    update(**{name: st.session_state[key]})


def _machines(draft: Draft, known: Known) -> None:
    gone = {device_id: "a machine that is gone" for device_id in draft.device_ids if device_id not in known.machines}
    names = {**known.machines, **gone}
    key = shown(f"{draft.prefix}-devices", list(draft.device_ids))
    st.multiselect("Which machines", list(names), format_func=lambda value: names.get(value, ""), label_visibility="collapsed", key=key,
                   placeholder="Choose machines", on_change=_take_devices, args=(key,))  # fmt: skip


def _take_devices(key: str) -> None:
    update(device_ids=tuple(st.session_state[key]))


def _counting(draft: Draft) -> None:
    """Whether machines are counted."""
    key = shown(f"{draft.prefix}-counts", draft.tree.at_least is not None)
    st.toggle("Only several at once", key=key, on_change=_count, args=(key,), help="Count machines: alert when so many have it at once")


def _count(key: str) -> None:
    draft = current()
    if draft is not None:
        update(tree=replace(draft.tree, at_least="2" if st.session_state[key] else None, fleet_held=None))


def _channels(draft: Draft) -> None:
    key = shown(f"{draft.prefix}-channels", list(draft.channels))
    st.pills("Notify", list(CHANNELS), format_func=lambda value: CHANNEL_WORDS.get(value, value), selection_mode="multi", key=key,
             on_change=_take_channels, args=(key,))  # fmt: skip


def _take_channels(key: str) -> None:
    update(channels=tuple(channel for channel in CHANNELS if channel in (st.session_state[key] or ())), says_channels=True)


def _own_clear(key: str, parameter: str) -> None:
    if st.session_state[key]:
        fresh = new_tree(f"{prefix()}c")
        update(clear=add_leaf(fresh, fresh.root.id, parameter))
    else:
        update(clear=None)


def _schedule(draft: Draft, known: Known) -> None:
    """Hours and dates, one row each."""
    shifts = {OWN_HOURS: "Own hours", **{name: f"{name.capitalize()} shift" for name in known.shifts}}
    for number, window in enumerate(draft.windows):
        _window(draft, number, window, shifts)
    for number in range(len(draft.spans)):
        _span(draft, number)
    with st.container(horizontal=True, gap="xsmall", key="add-times"):
        st.button(
            "Hours", icon=":material/add:", type="tertiary", key=f"{draft.prefix}-add-window", on_click=_more, args=("windows", Window())
        )
        st.button("Dates", icon=":material/add:", type="tertiary", key=f"{draft.prefix}-add-span", on_click=_more, args=("spans", Span()))


def _window(draft: Draft, number: int, window: Window, shifts: Mapping[str, str]) -> None:
    names = shifts if window.shift in shifts else {window.shift: f"{window.shift} (unknown)", **shifts}
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"window-{draft.prefix}-{number}"):
        key = shown(_key(draft, "windows", number, "shift"), window.shift)
        st.selectbox("Shift", list(names), format_func=lambda value: names.get(value, value), label_visibility="collapsed", width=136,
                     key=key, on_change=_part, args=("windows", number, "shift", key))  # fmt: skip
        if window.shift == OWN_HOURS:
            _part_text(draft, "windows", number, "start", "From, HH:MM", 76)
            st.markdown(":gray[to]", width="content")
            _part_text(draft, "windows", number, "end", "Until, HH:MM", 76)
        key = shown(_key(draft, "windows", number, "days"), list(window.days))
        st.pills("Days", list(DAYS), format_func=DAYS.__getitem__, selection_mode="multi", label_visibility="collapsed", key=key,
                 on_change=_days, args=(number, key))  # fmt: skip
        _less(draft, "windows", number, "Remove these hours")


def _span(draft: Draft, number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"span-{draft.prefix}-{number}"):
        st.markdown(":gray[from]", width="content")
        _part_text(draft, "spans", number, "start", "First day, YYYY-MM-DD", 124)
        st.markdown(":gray[until]", width="content")
        _part_text(draft, "spans", number, "end", "Last day, YYYY-MM-DD", 124)
        _less(draft, "spans", number, "Remove these dates")


def _part_text(draft: Draft, kind: str, number: int, name: str, label: str, width: int) -> None:
    key = shown(_key(draft, kind, number, name), getattr(getattr(draft, kind)[number], name))
    hint = "YYYY-MM-DD" if kind == "spans" else "HH:MM"
    st.text_input(label, label_visibility="collapsed", width=width, placeholder=hint, key=key, live=True, on_change=_part,
                  args=(kind, number, name, key))  # fmt: skip


def _key(draft: Draft, kind: str, number: int, name: str) -> str:
    return f"{draft.prefix}-{kind}-{number}-{name}"


def _less(draft: Draft, kind: str, number: int, word: str) -> None:
    st.button(word, icon=":material/close:", type="tertiary", key=f"del-{draft.prefix}-{kind}-{number}", help=word, on_click=_fewer,
              args=(kind, number))  # fmt: skip


def _more(kind: str, new: Window | Span) -> None:
    draft = current()
    if draft is not None:
        update(**{kind: (*getattr(draft, kind), new)})


def _fewer(kind: str, number: int) -> None:
    draft = current()
    if draft is not None:
        update(**{kind: tuple(one for i, one in enumerate(getattr(draft, kind)) if i != number)})


def _part(kind: str, number: int, name: str, key: str) -> None:
    draft = current()
    if draft is not None:
        typed = (st.session_state[key] or "").strip()
        parts = [replace(one, **{name: typed}) if i == number else one for i, one in enumerate(getattr(draft, kind))]
        update(**{kind: tuple(parts)})


def _days(number: int, key: str) -> None:
    draft = current()
    if draft is not None:
        days = tuple(sorted(st.session_state[key] or ())) or EVERY_DAY
        update(windows=tuple(replace(one, days=days) if i == number else one for i, one in enumerate(draft.windows)))
