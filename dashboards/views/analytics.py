"""What stands out, what is unusual, what may fail, how much energy is to come? And how far is that to be believed?"""

from collections.abc import Callable
from html import escape
from typing import TypeVar

import streamlit as st

from dashboards import (
    analytics_charts,
    analytics_data,
    analytics_forms,
    analytics_parts,
    charts,
    fmt,
    forms,
    frame,
    loads,
    resources,
    session,
    ui,
)
from dashboards.analytics_data import RANGES
from dashboards.cache import Answer
from warehouse.errors import RetryableError
from warehouse.jobs import DELETABLE, UNFINISHED, cancel_job, delete_job
from warehouse.models.work import AnalyticsJob
from warehouse.queries.devices import DeviceRow

TABS = {
    "": "What stands out",
    "anomalies": "Anomalies",
    "failures": "Failure risk",
    "energy": "Energy ahead",
    "jobs": "Analyses",
    "models": "Models",
}
AWAY = "The history store does not answer; trying again."
WHOLE = "The factory"
T = TypeVar("T")


def start_link(kind: str) -> str:
    """Where an analysis of this kind is started."""
    return ui.link(f"/analytics?tab=jobs&kind={kind}", "Start one")


def machines() -> dict[int, DeviceRow]:
    """The factory's machines by id."""
    return {machine.id: machine for machine in loads.machines(session.identity().factory_id)}


def read(load: Callable[[], T]) -> T | None:
    """What `load` gives, or None while the history is away."""
    try:
        return load()
    except RetryableError:
        return None


def away(what: str) -> None:
    """In place of what cannot be read now."""
    with st.container(key="card-away"):
        ui.draw(ui.state_panel("error", "high", f"{what} cannot be read now", AWAY))


def stale(answer: Answer[T]) -> T:
    """The value, with a strip above when it is an older one."""
    if answer.is_stale:
        frame.stale_strip(session.local().time(answer.loaded_at))
    return answer.value


@st.fragment(run_every="30s")
def overview() -> None:
    """Three cards and the newest findings."""
    who, local, keys = session.identity(), session.local(), {d: m.device_key for d, m in machines().items()}
    odd, risky = read(lambda: analytics_data.anomalies(who.factory_id, "7 d")), read(lambda: analytics_data.risks(who.factory_id))
    ahead = read(lambda: analytics_data.energy_ahead(who.factory_id, None))
    ui.draw(analytics_parts.overview(odd.value if odd else None, risky.value if risky else None, ahead, keys, local))
    with st.container(key="card-findings"):
        found = read(lambda: analytics_data.explained(who.factory_id))
        if found is None:
            text = "Each night FactoryOps looks for what changed most, which machine needs attention, and where energy is wasted."
            panel = ui.state_panel("empty", "search", "Nothing was explained yet", text, start_link("ai_copilot"))
            ui.draw(ui.section("What stands out"), panel)
            return
        ui.draw(ui.section("What stands out", analytics_parts.since(found, local)), analytics_parts.findings(found.details))


@st.fragment(run_every="30s")
def anomalies() -> None:
    """When which machine was not as usual, and why."""
    who, local, keys = session.identity(), session.local(), {d: m.device_key for d, m in machines().items()}
    wanted = st.segmented_control(
        "Range", list(RANGES), required=True, label_visibility="collapsed", **ui.in_url("range", list(RANGES), default="7 d")
    )
    answer = read(lambda: analytics_data.anomalies(who.factory_id, wanted))
    if answer is None:
        away("Anomalies")
        return
    found, end = stale(answer), resources.installation().clock.now()
    start = end - RANGES[wanted]
    with st.container(key="card-lanes"):
        ui.draw(ui.section(f"Machines that were not as usual, {wanted}", fmt.plural(found.height, "anomaly", "anomalies")))
        if found.is_empty():
            text = "Either all machines were as usual, or none was looked at: each night all machines are, and here on order."
            ui.draw(ui.state_panel("ok", "check", "No anomalies in this time", text, start_link("anomaly")))
            return
        ui.draw(analytics_parts.lanes(found, keys, start, end, local))
        ranked = [d for d in dict.fromkeys(found.sort("score", descending=True)["device_id"].to_list()) if d in keys]
        device_id = st.selectbox("How unusual over time", ranked, format_func=keys.__getitem__, key="odd-machine") if ranked else None
        scored = read(lambda: analytics_data.scores(who.factory_id, device_id, wanted)) if device_id else None
        if scored is not None and scored.height and device_id:
            spans = [
                (local.wall(row["started_at"]), local.wall(row["ended_at"]))
                for row in found.iter_rows(named=True)
                if row["device_id"] == device_id
            ]
            option = analytics_charts.score_line(scored, spans, (local.wall(start), local.wall(end)), local)
            charts.show(option, 200, f"score-{device_id}-{wanted}", f"How unusual {keys[device_id]} was over {wanted}, against its limit 1")
    with st.container(key="card-anomalies"):
        ui.draw(ui.section("Each of them, newest first"), analytics_parts.anomaly_list(found, keys, local))


@st.fragment(run_every="30s")
def failures() -> None:
    """Which machine may fail, when, and why."""
    who, local = session.identity(), session.local()
    answer = read(lambda: analytics_data.risks(who.factory_id))
    if answer is None:
        away("Failure risks")
        return
    found = stale(answer)
    with st.container(key="card-risks"):
        if found.drop_nulls("probability").is_empty():
            text = "A prediction learns from failures that were recorded, or from critical alerts where none were."
            ui.draw(ui.state_panel("empty", "wrench", "No failure was predicted yet", text, start_link("failure_prediction")))
            return
        ui.draw(ui.section("Machines by their risk", "calibrated: of ten with 30 %, three fail"))
        ui.draw(analytics_parts.risk_list(found, machines(), local))


@st.fragment(run_every="60s")
def energy() -> None:
    """How much energy is to come, of the factory or a machine."""
    who, local, known = session.identity(), session.local(), machines()
    names = {0: WHOLE, **{d: m.device_key for d, m in sorted(known.items(), key=lambda pair: pair[1].device_key)}}
    chosen = st.selectbox("Of", list(names), format_func=names.__getitem__, key="ahead-of", label_visibility="collapsed")
    device_id, of = chosen or None, names[chosen] if chosen else WHOLE.lower()
    found = read(lambda: analytics_data.energy_ahead(who.factory_id, device_id))
    if found is None:
        away("The forecast")
        return
    with st.container(key="row-31"):
        wide, side = st.columns([3, 1], gap="small")
    with wide, st.container(key="card-ahead", height="stretch"):
        if found.ahead.is_empty():
            text = "A forecast needs two weeks of power readings."
            ui.draw(ui.state_panel("empty", "bolt", f"No forecast of {of} yet", text, start_link("energy_forecast")))
        else:
            made = f"made {ui.moment(found.made_at, local)}" if found.made_at else ""
            ui.draw(ui.section(f"Energy of {of} an hour, measured and expected", made))
            alt = f"Energy an hour of {of}: three days measured, then expected with 80 and 95 percent bands"
            charts.show(analytics_charts.forecast(found, local), 320, f"ahead-{chosen}", alt)
    with side, st.container(key="card-trust", height="stretch"):
        ui.draw(ui.section("How good it was"))
        job = analytics_data.newest(who.factory_id, "energy_forecast")
        ui.draw(analytics_parts.quality(job.found if job else {}, device_id))


@st.fragment(run_every="2s")
def listing() -> None:
    """Analyses, newest first, with live progress."""
    local = session.local()
    found, total = analytics_data.jobs(session.identity().factory_id)
    ui.draw(ui.section("Analyses", f"{len(found)} of {total}" if total > len(found) else fmt.plural(total, "analysis", "analyses")))
    if not found:
        ui.draw(ui.state_panel("empty", "search", "No analysis was ordered yet", "Choose a kind, machines and a range, and start one."))
    for job in found:
        with st.container(key=f"job-{job.id}"):
            ui.draw(analytics_parts.job_line(job, local))
            if job.status == "running":
                st.progress(min(job.progress_percent, 100) / 100)
            actions(job)


def actions(job: AnalyticsJob) -> None:
    """What can be done with a job by whoever looks."""
    who, inst = session.identity(), resources.installation()
    # Not an expander: what is closed would be drawn all the same, every two seconds.
    if job.status == "complete" and st.toggle("Result", value=st.query_params.get("job") == job.id, key=f"result-{job.id}"):
        result(job)
    if not (who.may_work and who.may("run_analytics")):
        return
    if job.status in UNFINISHED and job.cancelled_by is None and st.button("Cancel", key=f"cancel-{job.id}", icon=":material/close:"):
        forms.attempt(lambda: cancel_job(inst.db, inst.clock, forms.actor(), job.id, who.name), "Cancelled.")
    if job.status == DELETABLE[1] and st.button("Delete", key=f"delete-{job.id}", icon=":material/delete:"):
        forms.attempt(lambda: delete_job(inst.db, inst.clock, forms.actor(), job.id), "Deleted.")


def result(job: AnalyticsJob) -> None:
    """What a complete job found, in sentences and drawings."""
    try:
        found = analytics_data.outcome(job).found
    except RetryableError as problem:
        ui.draw(ui.state_panel("error small", "high", "The result cannot be read now", problem.message))
        return
    if not found:
        ui.draw(ui.state_panel("error small", "high", "The result is gone", "Its file is not in the store any more; start it again."))
        return
    explained = found.get("copilot") if isinstance(found.get("copilot"), dict) else {}
    details = found.get("details") or (explained or {}).get("details")
    said = "" if found.get("details") else "".join(f"<li>{escape(str(each))}</li>" for each in found.get("findings", []))
    ui.draw(f"<ul>{said}</ul>" if said else "", analytics_parts.findings(details) if isinstance(details, list) else "")
    ui.draw(analytics_parts.files(job))


def jobs() -> None:
    """Start, follow, repeat."""
    with st.container(key="row-31"):
        wide, side = st.columns([3, 1], gap="small")
    with wide, st.container(key="card-jobs"):
        listing()
    with side:
        with st.container(key="card-new"):
            ui.draw(ui.section("New analysis"))
            if analytics_forms.may_start():
                analytics_forms.new_analysis()
        with st.container(key="card-schedules"):
            ui.draw(ui.section("Schedules"))
            analytics_forms.scheduling()


def models() -> None:
    """The versions that were learned, and how they did."""
    with st.container(key="card-models"):
        found = read(lambda: analytics_data.models(session.identity().factory_id))
        if found is None:
            ui.draw(ui.state_panel("error", "high", "The models cannot be read now", "The file store does not answer; try again."))
            return
        ui.draw(ui.section("Models of this factory", "measured on machines and times that they had not seen"))
        if not found:
            text = "Each night models are learned from what the machines sent; the first ones after the first whole day."
            ui.draw(ui.state_panel("empty", "clock", "No model was learned yet", text))
            return
        ui.draw(analytics_parts.scorecard(found, session.local()))


def ask_card() -> None:
    """The ask box."""
    with st.container(key="card-ask"):
        ui.draw(ui.section("Ask a question"))
        analytics_forms.question()


frame.header("Analytics")
tab = forms.current_tab(TABS)
forms.tabs("/analytics", TABS, tab)
if tab == "":
    with st.container(key="row-31"):
        main, side = st.columns([3, 1], gap="small")
    with main:
        overview()
    with side:
        ask_card()
else:
    {"anomalies": anomalies, "failures": failures, "energy": energy, "jobs": jobs, "models": models}[tab]()
frame.tabbar("analytics")
