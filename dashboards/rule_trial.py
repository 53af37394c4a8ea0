"""Trying a rule on the past before it is saved: run with progress, what it would have raised, and on which machine when."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboards import charts, fmt, resources, rule_figures, session, ui
from dashboards.cache import ask_lake
from dashboards.charts import Limit
from dashboards.fmt import Local
from dashboards.rule_data import Known
from rules.backtest import Episode
from rules.conditions import Comparison, Range, comparisons, leaves
from rules.trial import Trial, Unsaved, try_unsaved
from warehouse.errors import FactoryOpsError, RetryableError
from warehouse.queries.faults import fault_spans
from warehouse.queries.history import history, interval_for, with_gaps

DAYS: Final = {"7 days": 7, "30 days": 30, "90 days": 90}
WHOLE: Final = "Whole time"
MOST_LISTED: Final = 6
AROUND: Final = timedelta(hours=1)
ONE_AT_A_TIME: Final = threading.Lock()
"""A backtest reads millions of readings: several at once would hold up everybody's pages."""


@dataclass(frozen=True)
class Tried:
    """A backtest that was run, and of what."""

    of: str
    """`fingerprint` of the draft as it was then."""
    days: str
    trial: Trial
    caught: rule_figures.Caught


def fingerprint(fields: Mapping[str, Any], device_ids: Sequence[int]) -> str:
    """Of everything that a backtest depends on."""
    names = ("conditions", "scope", "schedule_type", "schedule_config", "cooldown_minutes")
    return json.dumps([{name: fields[name] for name in names}, sorted(device_ids)], sort_keys=True)


def trial_card(fields: dict[str, Any] | None, device_ids: Sequence[int], rule_id: int | None, key: str, known: Known) -> None:
    """The button, progress, and what came out. `fields`: the draft, None while something in it is wrong."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="trial-head"):
        days = st.segmented_control("Time", list(DAYS), default="30 days", required=True, label_visibility="collapsed", key=f"{key}-days")
        pressed = st.button("Try it on the past", icon=":material/history:", disabled=fields is None, key=f"{key}-try", shortcut="Alt+T")
    if pressed and fields is not None:
        _run(Unsaved(fields, device_ids, rule_id), days or "30 days", key)
    tried: Tried | None = st.session_state.get(f"{key}-tried")
    if tried is None:
        text = "See which alerts it would have raised, before anybody is told of one. Nothing is saved by it."
        ui.draw(ui.state_panel("empty small", "clock", "Not tried yet", text))
        return
    if fields is None or tried.of != fingerprint(fields, device_ids):
        ui.draw(f'<div class="strip" role="status">{ui.icon("clock")}<span>The rule was changed since; try it again.</span></div>')
    _shown(tried, key, known)


def _run(unsaved: Unsaved, days: str, key: str) -> None:
    who, inst = session.identity(), resources.installation()
    until = inst.clock.now()
    since = until - timedelta(days=DAYS[days])
    bar = st.progress(0.0, "Waiting for another trial to end" if ONE_AT_A_TIME.locked() else "Reading the history")

    def progress(done: int, total: int) -> None:
        bar.progress(min(done / max(total, 1), 1.0), f"{done} of {fmt.plural(total, 'machine')} done")

    try:
        with ONE_AT_A_TIME:
            trial = try_unsaved(inst.db, inst.lake, who.factory_id, unsaved, since, until, progress=progress)
        faults = fault_spans(inst.db, who.factory_id, since, until).filter(pl.col("device_id").is_in(list(trial.found.device_ids)))
    except FactoryOpsError as problem:
        bar.empty()
        ui.draw(ui.state_panel("error small", "high", "It could not be tried", problem.message))
        return
    bar.empty()
    found = rule_figures.caught(trial.found.episodes, faults, str(unsaved.fields["name"]), until)
    st.session_state[f"{key}-tried"] = Tried(fingerprint(unsaved.fields, unsaved.device_ids), days, trial, found)


def _shown(tried: Tried, key: str, known: Known) -> None:
    trial, local = tried.trial, session.local()
    ui.draw(f'<p class="sentence" data-trial="{len(trial.found.episodes)}">{summary(tried)}</p>')
    draft = trial.found.per_day(local.zone)
    present = trial.present.per_day(local.zone) if trial.present else None
    alt = f"Alerts a day over {tried.days}: {sum(draft.values())} of this draft" + (
        f", {sum(present.values())} of the rule in use" if present else ""
    )
    charts.show(rule_figures.day_bars(draft, present), 150, f"{key}-bars", alt)
    ui.draw(figures(tried))
    if trial.found.device_ids:
        _watched(tried, key, known, local)


def summary(tried: Tried) -> str:
    """How many alerts, beside the rule in use."""
    trial = tried.trial
    text = f"In the last {tried.days} it would have raised <b>{fmt.plural(len(trial.found.episodes), 'alert')}</b>"
    if trial.present is None or trial.comparison is None:
        return f"{text}."
    both = trial.comparison
    text += f"; the rule in use {fmt.plural(len(trial.present.episodes), 'alert')}"
    if both.only_new or both.only_present:
        return f"{text}. {both.both:,} are the same, {len(both.only_new):,} new, {len(both.only_present):,} would be gone."
    return f"{text}, the same ones."


def figures(tried: Tried) -> str:
    """Three figures: against the faults that others told of, or else how it would have behaved."""
    found, of = tried.trial.found, tried.caught
    if of.faults:
        early = "—" if of.warning_min is None else fmt.span(of.warning_min * 60)
        parts = (
            (f"{of.caught} of {of.faults}", "faults of other rules it came with"),
            (early, "before the fault, median"),
            (f"{of.without}", "without a fault"),
        )
    else:
        length = rule_figures.typical_length_s(found)
        days = max((found.until - found.since).total_seconds() / 86400, 1)
        parts = (
            (fmt.num(len(found.episodes) / days * 7, 2), "alerts a week"),
            ("—" if length is None else fmt.span(length), "long, median"),
            (f"{fmt.num(100 * found.share_firing, 2)} %", "of the time"),
        )
    return '<div class="stat3 n">' + "".join(f"<span><b>{value}</b><small>{word}</small></span>" for value, word in parts) + "</div>"


def _watched(tried: Tried, key: str, known: Known, local: Local) -> None:
    """One machine: the line that the rule watches, with a band for each alert."""
    found = tried.trial.found
    counts = {device_id: sum(one.device_id == device_id for one in found.episodes) for device_id in found.device_ids}
    order = sorted(counts, key=lambda device_id: (-counts[device_id], known.machines.get(device_id, "")))
    names = {device_id: f"{_short(device_id, known)} · {fmt.plural(counts[device_id], 'alert')}" for device_id in order}
    with st.container(horizontal=True, gap="xsmall", key="trial-look"):
        device_id = st.selectbox(
            "Machine", order, format_func=lambda one: names.get(one, ""), label_visibility="collapsed", key=f"{key}-machine"
        )
        mine = [one for one in found.episodes if one.device_id == device_id]
        times = {
            WHOLE: None,
            **{
                f"{local.time(one.start)}, {_length(one, found.until)}": one
                for one in sorted(mine, key=lambda one: one.start, reverse=True)[:50]
            },
        }
        chosen = st.selectbox("Which alert", list(times), label_visibility="collapsed", key=f"{key}-which-{device_id}")
    one = times.get(chosen or WHOLE)
    start, end = (found.since, found.until) if one is None else (one.start - AROUND, min((one.end or found.until) + AROUND, found.until))
    _line(tried, int(device_id), (start, end), mine, known, key)


def _line(tried: Tried, device_id: int, span: tuple[datetime, datetime], mine: Sequence[Episode], known: Known, key: str) -> None:
    local, rule = session.local(), tried.trial.rule
    parameters = list(dict.fromkeys(leaf.parameter for leaf in leaves(rule.condition) if leaf.parameter in known.labels))
    numeric = [name for name in parameters if name not in known.texts]
    if not numeric:
        ui.draw(ui.state_panel("empty small", "clock", "No line to draw", "The rule looks at words or silence alone."))
        return
    name = numeric[0]
    if len(numeric) > 1:
        shown = lambda one: known.labels[one].name  # noqa: E731  # one line
        name = (
            st.segmented_control(
                "Parameter", numeric, format_func=shown, default=name, required=True, label_visibility="collapsed", key=f"{key}-parameter"
            )
            or name
        )
    frame = _history(device_id, str(name), span)
    if frame is None or not frame.height:
        ui.draw(
            ui.state_panel(
                "empty small", "clock", "No history here", "This machine told nothing of it in this time, or the history is away."
            )
        )
        return
    label = known.labels[str(name)]
    means, low, high = (charts.points(frame, column, local) for column in ("mean", "min", "max"))
    watched = rule_figures.Watched(label.name, label.unit, means, low, high)
    bands = rule_figures.bands_of(mine, span[1], local)
    bounds = (local.wall(span[0]), local.wall(span[1]))
    option = rule_figures.watched_line(watched, limits_of(rule, str(name), label.unit), bands, bounds)
    alt = f"{label.name} of {_short(device_id, known)} with {fmt.plural(len(mine), 'alert')} that the rule would have raised"
    charts.show(option, 190, f"{key}-line", alt)


def limits_of(rule: Any, name: str, unit: str) -> list[Limit]:
    """The limits of the rule for a parameter, as lines."""
    found = [(part.threshold, "Limit") for part in comparisons(rule.condition) if part.parameter == name]
    for leaf in leaves(rule.condition):
        if isinstance(leaf, Range) and leaf.parameter == name:
            found += [(leaf.low, "Low"), (leaf.high, "High")]
        elif isinstance(leaf, Comparison) and leaf.parameter == name and leaf.measure.aggregate in {"mean", "min", "max"}:
            found.append((leaf.threshold, f"Limit of the {leaf.measure.aggregate}"))
    return [Limit(value, f"{word} {fmt.exact(value)} {unit}".strip(), rule.severity) for value, word in dict.fromkeys(found)]


def _history(device_id: int, name: str, span: tuple[datetime, datetime]) -> pl.DataFrame | None:
    inst, factory_id = resources.installation(), session.identity().factory_id
    start, end = span
    step = interval_for(start, end, 500)

    def load() -> pl.DataFrame:
        return with_gaps(history(inst.lake, factory_id, [device_id], [name], start, end, interval=step), step)

    try:
        return ask_lake(("tried", device_id, name, start, end), factory_id, 60, load).value
    except RetryableError:
        return None


def _short(device_id: int, known: Known) -> str:
    return known.machines.get(device_id, "gone").split(" · ")[0]


def _length(one: Episode, until: datetime) -> str:
    return fmt.span(((one.end or until) - one.start).total_seconds()) + ("" if one.end else ", still on")
