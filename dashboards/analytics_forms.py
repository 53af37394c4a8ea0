"""What people fill in on the analytics page: an analysis to start, a schedule, a question."""

from datetime import timedelta
from html import escape
from typing import Any

import streamlit as st

from assets.analytics import schedules
from assets.launch import ANALYSIS, launch
from dashboards import fmt, loads, resources, session, ui
from dashboards.analytics_data import KINDS
from dashboards.forms import actor, attempt, is_sure
from warehouse.errors import FactoryOpsError
from warehouse.jobs import NewJob, order_job
from warehouse.models.work import AnalysisSchedule

DAYS = {"Last 24 hours": 1, "Last 7 days": 7, "Last 30 days": 30, "Last 90 days": 90}
OWN_CRON = "Own times (cron)"
TIMES = {"Every Monday at 05:00": "0 5 * * 1", "Every day at 05:00": "0 5 * * *", OWN_CRON: ""}
NEEDS = {
    "anomaly": "Needs two days of readings of each machine, before the range or in it.",
    "failure_prediction": "Needs at least three failures or critical alerts in a year, and two days of readings.",
    "energy_forecast": "Needs two weeks of power readings; looks at what comes after the range.",
    "ai_copilot": "Needs readings; to say what changed, half a day of them in the range and before it.",
}


def may_start() -> bool:
    """Whether the person may order analyses; says whom to ask when not."""
    who = session.identity()
    if who.may_work and who.may("run_analytics"):
        return True
    text = "You can look at everything that was found. To start analyses you need the permission “run analytics”; a super admin gives it."
    ui.draw(ui.state_panel("forbidden small", "lock", "You can look at this", text))
    return False


def new_analysis() -> None:
    """Kind, machines, range, and it starts."""
    machines = loads.machine_names(session.identity().factory_id)
    if not machines:
        ui.draw(ui.state_panel("empty small", "machine", "No machines yet", "Analyses need machines that have sent something."))
        return
    kind = _kind("new-kind")
    with st.form("new-analysis", border=False):
        chosen = st.multiselect(
            "Machines", list(machines), format_func=machines.__getitem__, placeholder="All machines", key="new-machines"
        )
        period = st.selectbox("Range", list(DAYS), index=1 if kind != "energy_forecast" else 2, key=f"new-range-{kind}")
        more = _wishes(kind, "new")
        explained = kind != "ai_copilot" and st.checkbox("With explanations by the copilot", key="new-explained")
        if not st.form_submit_button("Start the analysis", type="primary", icon=":material/play_arrow:"):
            return
    attempt(lambda: _order(kind, chosen or list(machines), DAYS[period], more, explained=explained), "The analysis was started.")


def _kind(key: str) -> str:
    asked = st.query_params.get("kind", "")
    position = list(KINDS).index(asked) if asked in KINDS else 0
    kind = str(st.selectbox("Analysis", list(KINDS), index=position, format_func=KINDS.__getitem__, key=key))
    st.caption(NEEDS[kind])
    return kind


def _wishes(kind: str, key: str) -> dict[str, Any] | None:
    """What only one kind asks for."""
    if kind == "energy_forecast":
        return {"horizon_days": int(st.slider("Days ahead", 1, 14, 7, key=f"{key}-horizon"))}
    if kind == "failure_prediction" and st.checkbox("Learn a new model", key=f"{key}-retrain"):
        return {"retrain": True}
    return None


def _order(kind: str, device_ids: list[int], days: int, parameters: dict[str, Any] | None, *, explained: bool) -> None:
    inst = resources.installation()
    now = inst.clock.now()
    mode = "ai_copilot" if explained or kind == "ai_copilot" else "standard"
    new = NewJob(kind, mode, device_ids, now - timedelta(days=days), now, parameters)
    launch(inst.settings, ANALYSIS, order_job(inst.db, inst.clock, actor(), new).id)


def scheduling() -> None:
    """What is made by itself, and a new schedule for those who may."""
    who, inst = session.identity(), resources.installation()
    found = schedules.schedules(inst, who.factory_id)
    for row in found:
        _schedule(row)
    if not found:
        ui.draw('<p class="mute">Nothing is analysed by itself on order; the nightly analyses of all machines run anyway.</p>')
    if who.may_work and who.may("run_analytics"):
        with st.expander("New schedule"):
            _new_schedule()


def _schedule(row: AnalysisSchedule) -> None:
    who, inst, local = session.identity(), resources.installation(), session.local()
    when = f"next {local.stamp(row.next_due_at)}" if row.is_active else "paused"
    which = fmt.plural(len(row.device_ids), "machine") if row.device_ids else "all machines"
    ui.draw(
        f'<div class="row"><b>{escape(row.name)}</b> <small>{escape(when)}</small></div>'
        f"<small>{escape(KINDS.get(row.job_type, row.job_type))} of {which} over {fmt.plural(row.days, 'day')}</small>"
    )
    if not (who.may_work and who.may("run_analytics")):
        return
    with st.container(horizontal=True, key=f"act-schedule-{row.id}"):
        word, icon = ("Pause", ":material/pause:") if row.is_active else ("Resume", ":material/play_arrow:")
        if st.button(word, key=f"switch-{row.id}", icon=icon):
            attempt(
                lambda: schedules.switch_schedule(inst, actor(), row.id, is_active=not row.is_active),
                "Paused." if row.is_active else "Resumed.",
            )
        if is_sure("Delete", "The schedule ends; its analyses stay.", f"schedule-{row.id}"):
            attempt(lambda: schedules.remove_schedule(inst, actor(), row.id), "The schedule was deleted.")


def _new_schedule() -> None:
    inst, machines = resources.installation(), loads.machine_names(session.identity().factory_id)
    kind = str(st.selectbox("Analysis", list(KINDS), format_func=KINDS.__getitem__, key="schedule-kind"))
    when = st.selectbox("When", list(TIMES), key="schedule-when")
    with st.form("new-schedule", border=False):
        cron = TIMES[when] or st.text_input("Cron, on the factory's clock", placeholder="30 5 * * 1-5", max_chars=100, key="schedule-cron")
        period = st.selectbox("Range", list(DAYS), index=1, key="schedule-days")
        chosen = st.multiselect(
            "Machines", list(machines), format_func=machines.__getitem__, placeholder="All machines", key="schedule-machines"
        )
        name = st.text_input("Name", placeholder=f"{KINDS[kind]}, {when.lower()}", max_chars=255, key="schedule-name")
        more = _wishes(kind, "schedule")
        if not st.form_submit_button("Add the schedule", type="primary"):
            return
    asked = schedules.NewSchedule(name.strip() or f"{KINDS[kind]}, {when.lower()}", kind, cron, DAYS[period], chosen, "standard", more)
    attempt(lambda: schedules.add_schedule(inst, actor(), asked), "The schedule was added.")


def question() -> None:
    """The ask box; the answer stays until the next question."""
    if not may_start():
        return
    with st.form("ask", border=False):
        asked = st.text_input(
            "Your question",
            placeholder="Which machine needs attention first, and why?",
            max_chars=500,
            label_visibility="collapsed",
            key="asked",
        )
        if st.form_submit_button("Ask", type="primary", icon=":material/search:") and asked.strip():
            _ask(asked)
    if said := st.session_state.get("answer"):
        ui.draw(said)


def _ask(asked: str) -> None:
    # Reads through half of the queries there are, which most pages need not import.
    from assets.analytics.ask import ask  # noqa: PLC0415  # as said above

    try:
        with st.spinner("Looking at the data …"):
            found = ask(resources.installation(), actor(), asked)
    except FactoryOpsError as problem:
        st.session_state["answer"] = ui.state_panel("error small", "high", "No answer now", problem.message)
        return
    named = {one.id: one for one in found.sources}
    sentences = "".join(
        f"<p>{escape(said.text)} "
        + "".join(ui.link(named[one].path, escape(f"{one} {named[one].words}"), "chip") for one in said.facts if one in named)
        + "</p>"
        for said in found.sentences
    )
    by = f"Worded by {escape(found.model)}; every number above is in the data it links to." if found.model and found.is_answered else ""
    note = " ".join(part for part in (escape(found.note), by) if part)
    st.session_state["answer"] = (
        f'<div class="answer"><p class="mute">{escape(asked)}</p>{sentences}<p class="mute">{note}</p>{_facts(found.sources)}</div>'
    )


def _facts(sources: list[Any]) -> str:
    rows = "".join(
        f"<dt>{escape(one.id)}</dt><dd>{escape(', '.join(f'{name} {value}' for name, value in one.row.items()))}</dd>" for one in sources
    )
    return f'<details class="proof"><summary>The facts</summary><dl class="facts wide">{rows}</dl></details>' if rows else ""
