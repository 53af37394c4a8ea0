"""Build a rule, read it as a sentence, see what it would have done, save it; its earlier versions."""

from html import escape
from urllib.parse import urlencode

import streamlit as st

from dashboards import frame, rule_data, rule_state, rule_then, session, ui
from dashboards.rule_data import Known
from dashboards.rule_draft import Checked, Draft, checked
from dashboards.rule_editor import editor
from dashboards.rule_json import json_view
from dashboards.rule_opening import Asked, asked, is_changed
from dashboards.rule_save import saving, warnings
from dashboards.rule_sentence import sentence
from dashboards.rule_trial import trial_card
from dashboards.rule_versions import switched, versions
from warehouse.errors import InvalidInputError, NotFoundError

VIEWS = {"form": "Form", "json": "JSON"}


@st.fragment
def editing() -> None:
    """The whole editor: everything in it changes together."""
    who = session.identity()
    known = rule_data.known(who.factory_id)
    found = asked(who.factory_id, st.query_params.to_dict(), known)
    draft = rule_state.current()
    if draft is None:
        return
    result = checked(draft, known.zone, known.shifts)
    with st.container(key="rule-split"):
        left, right = st.columns([1.5, 1], gap="small")
    with left:
        _building(draft, known, result)
    with right:
        _telling(draft, known, result, found)


def _building(draft: Draft, known: Known, result: Checked) -> None:
    with st.container(key="card-name"):
        rule_then.text_field(draft, "name", "Name", max_chars=255, placeholder="Such as: Spindle overheat")
        rule_then.wrong(result.errors, "name")
        rule_then.text_field(draft, "description", "What to do about it", max_chars=2000, placeholder="Told with every alert of it")
    with st.container(key="card-when"):
        ui.draw(ui.section("Raise an alert when", '<span class="hide-s">values are checked as they arrive</span>'))
        view = st.segmented_control("View", list(VIEWS), format_func=VIEWS.__getitem__, default="form", required=True,
                                    label_visibility="collapsed", key=f"{draft.prefix}-view")  # fmt: skip
        if view == "json":
            json_view(draft)
        else:
            editor("tree", known, result.errors)
    with st.container(key="card-over"):
        ui.draw(ui.section("It is over", "" if draft.clear else "when that no longer holds"))
        rule_then.over(draft, known, result.errors)
    with st.container(key="card-how"):
        ui.draw(ui.section("Then"))
        rule_then.then(draft, known, result.errors)


def _telling(draft: Draft, known: Known, result: Checked, found: Asked) -> None:
    with st.container(key="card-sentence"):
        ui.draw(ui.section("In words"), f'<p class="sentence">{words(draft, known, result)}</p>')
    with st.container(key="card-backtest"):
        ui.draw(ui.section("On the past", "nobody is told of it"))
        trial_card(result.fields, draft.device_ids, draft.rule_id, f"trial-{found.place}", known)
    with st.container(key="card-lint"):
        warnings(draft, result)
        saving(draft, result, found.kept, is_changed=is_changed(found.place, draft))


def words(draft: Draft, known: Known, result: Checked) -> str:
    """The sentence, or what it waits for."""
    if result.fields is None:
        waits = "; ".join(dict.fromkeys(result.errors.values()))
        return f'<span class="mute">The sentence stands here as soon as every field is filled: {escape(waits)}.</span>'
    return sentence(result.fields, draft.device_ids, known)


def looking(found: Asked, known: Known) -> None:
    """The page for people who may not make rules."""
    kept = found.kept
    if kept is None:
        ui.draw(
            ui.state_panel(
                "forbidden", "lock", "Looking only", "Making rules needs the permission “create rules”.", ui.link("/rules", "All rules")
            )
        )
        return
    with st.container(key="card-sentence"):
        said = sentence(rule_data.columns_of(kept), kept.device_ids, known)
        ui.draw(ui.section("In words", "on" if kept.rule.is_active else "off"), f'<p class="sentence">{said}</p>')
        if kept.rule.description:
            ui.draw(f"<p>{escape(kept.rule.description)}</p>")
        say = "You may look at rules. Changing them needs the permission “create rules”, which a super admin of your factory can give."
        ui.draw(f"<small>{say}</small>")


def head(found: Asked, tab: str) -> None:
    """Where am I, and the two sides of a saved rule."""
    local = session.local()
    kept = found.kept
    crumbs = f'<span class="crumb">{ui.link("/rules", "Rules")} {ui.icon("right")} {"Saved rule" if kept else "New rule"}</span>'
    draft = rule_state.current()
    note = ""
    if kept is not None:
        row = next((row for row in rule_data.rules(session.identity().factory_id) if row.id == kept.rule.id), None)
        fired = f"Last fired {ui.moment(row.last_fired, local)}" if row and row.last_fired else "Never fired"
        week = f'<span class="hide-s">{row.fired_this_week:,} in 7 days</span>' if row else ""
        note = f'<div class="ident"><span>{"On" if kept.rule.is_active else "Off"}</span><span>{fired}</span>{week}</div>'
    frame.header(kept.rule.name if kept else (draft.name if draft and draft.name else "New rule"), crumbs, note)
    if kept is not None:
        own = urlencode({"id": kept.rule.id})
        sides = {"": "Rule", "versions": "Versions"}
        links = "".join(
            ui.link(f"/rule?{own}{f'&tab={key}' if key else ''}", word, "on" if key == tab else "") for key, word in sides.items()
        )
        copy = ui.link(f"/rule?copy={kept.rule.id}", "Copy") if session.identity().may("create_rules") else ""
        ui.draw(f'<nav class="tabs" aria-label="This rule">{links}{copy}</nav>')


def page() -> None:
    """Everything, or why there is nothing."""
    who = session.identity()
    known = rule_data.known(who.factory_id)
    try:
        found = asked(who.factory_id, st.query_params.to_dict(), known)
    except NotFoundError:
        _nothing("There is no such rule here", "The link may be old, or it belongs to another factory.")
        return
    except InvalidInputError as wrong:
        _nothing("This rule cannot be read", f"{wrong.message}. It is not evaluated. Correct it in a YAML file, or through the API.")
        return
    tab = "versions" if found.kept is not None and st.query_params.get("tab") == "versions" else ""
    head(found, tab)
    if tab and found.kept is not None:
        versions(found.kept, known)
        switched(found.kept.rule.id)
    elif who.may("create_rules"):
        editing()
    else:
        looking(found, known)


def _nothing(title: str, text: str) -> None:
    frame.header("Rule")
    with st.container(key="card-missing"):
        ui.draw(ui.state_panel("empty", "rule", title, text, ui.link("/rules", "All rules")))


page()
frame.tabbar("more")
