"""What people fill in on the page Reports: a new report with its first page beforehand, schedules, the logo."""

from datetime import datetime, timedelta
from html import escape
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from pydantic import ValidationError

from assets.launch import REPORT, launch
from assets.reporting import logo, schedules
from assets.reporting.draft import draft_page
from assets.reporting.parameters import REPORT_TYPES, ReportOrder, ScheduleOrder
from dashboards import loads, resources, session, ui
from dashboards.forms import attempt, explained
from warehouse import reports
from warehouse.errors import FactoryOpsError
from warehouse.models.reporting import ReportSchedule
from warehouse.queries.jobs import finished_jobs
from warehouse.queries.summary import local_midnight

OWN_DATES = "Own dates"
PERIODS = {"Last whole day": 1, "Last 7 whole days": 7, "Last 30 whole days": 30, OWN_DATES: 0}
FORMATS = {"pdf": "PDF", "excel": "Excel", "json": "JSON", "html": "HTML", "parquet": "Raw data (Parquet)", "csv": "Raw data (CSV)"}
LANGUAGES = {"en": "English", "de": "Deutsch", "vi": "Tiếng Việt"}
OWN_CRON = "Own times (cron)"
TIMES = {
    "Every Monday at 06:00": ("0 6 * * 1", "week"),
    "Every day at 06:00": ("0 6 * * *", "day"),
    "On the first of the month at 06:00": ("0 6 1 * *", "month"),
    OWN_CRON: ("", "week"),
}
DOWNTIME = {True: "Make all that were missed", False: "Make only the newest"}
JOBS = {"anomaly": "Anomalies", "failure_prediction": "Failure risk", "energy_forecast": "Energy forecast", "ai_copilot": "Explanations"}


def new_report() -> None:
    """The form; its first page on wish; the report itself is made in the background."""
    who, inst = session.identity(), resources.installation()
    machines = loads.machine_names(session.identity().factory_id)
    jobs = {job.id: f"{JOBS[job.job_type]}, {session.local().stamp(job.created_at)}" for job in finished_jobs(inst.db, who.factory_id)}
    period = st.selectbox("Period", list(PERIODS), index=1, key="report-period")
    with st.form("new-report", border=False):
        dates = _own_dates(who.timezone) if period == OWN_DATES else None
        kind = st.selectbox("Report", list(REPORT_TYPES), format_func=REPORT_TYPES.__getitem__)
        chosen = st.multiselect("Machines", list(machines), format_func=machines.__getitem__, placeholder="All machines")
        formats = st.multiselect("Formats", list(FORMATS), ["pdf", "excel"], format_func=FORMATS.__getitem__)
        language = st.selectbox("Language", list(LANGUAGES), format_func=LANGUAGES.__getitem__)
        title = st.text_input("Title", placeholder="The usual title", max_chars=255)
        analytics = st.checkbox("Include analytics")
        job = st.selectbox("Analysis", ["", *jobs], format_func=lambda key: jobs.get(key, "The newest of each kind")) if jobs else ""
        look = st.form_submit_button("Show the first page", icon=":material/visibility:")
        make = st.form_submit_button("Make the report", type="primary", icon=":material/description:")
    if not (look or make):
        _shown()
        return
    start, end = dates or _whole_days(PERIODS[period])
    asked = reports.NewReport(
        start, end, formats or ["pdf"], kind, title.strip() or None, chosen, language, analytics, (job or None) if analytics else None
    )
    if look:
        _draw(asked)
        return
    st.session_state.pop("first-page", None)
    attempt(lambda: _order(asked), "The report is being made.")


def _own_dates(zone: str) -> tuple[datetime, datetime]:
    """From the first to the last day, both included, on the factory's clock."""
    today = resources.installation().clock.now().astimezone(ZoneInfo(zone)).date()
    first = st.date_input("First day", today - timedelta(days=7), max_value=today, key="report-first-day")
    last = st.date_input("Last day", today - timedelta(days=1), max_value=today, key="report-last-day")
    midnight = lambda day: datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))  # noqa: E731  # one line, used twice
    return midnight(first), midnight(last + timedelta(days=1))


def _whole_days(days: int) -> tuple[datetime, datetime]:
    end = local_midnight(resources.installation().clock.now(), session.identity().timezone)
    return end - timedelta(days=days), end


def _order(asked: reports.NewReport) -> None:
    who, inst = session.identity(), resources.installation()
    _checked(asked)
    launch(inst.settings, REPORT, reports.order(inst.db, inst.clock, who.factory_id, who.user_id, asked).id)


def _checked(asked: reports.NewReport) -> ReportOrder:
    """The order as the report's maker will read it. Raises ValidationError for what it would refuse."""
    return ReportOrder.model_validate(
        {
            "report_id": str(UUID(int=0)), "report_type": asked.report_type, "title": asked.title or "",
            "device_ids": tuple(asked.device_ids), "start": asked.start,
            "end": asked.end, "language": asked.language, "prepared_at": resources.installation().clock.now(),
        }
    )  # fmt: skip


def _draw(asked: reports.NewReport) -> None:
    try:
        with st.spinner("Drawing the first page …"):
            st.session_state["first-page"] = draft_page(resources.installation().settings, session.identity().factory_id, _checked(asked))
    except FactoryOpsError as problem:
        st.error(problem.message, icon=":material/error:")
    except ValidationError as wrong:
        st.error("; ".join(explained(wrong)), icon=":material/error:")
    _shown()


def _shown() -> None:
    if page := st.session_state.get("first-page"):
        st.image(page, caption="First page as the data stand now; nothing was made yet")


def scheduling() -> None:
    """What is made by itself, and a new schedule."""
    who, inst = session.identity(), resources.installation()
    for row in schedules.schedules(inst, who.factory_id):
        _schedule(row)
    if who.may("generate_reports"):
        _new_schedule()


def _schedule(row: ReportSchedule) -> None:
    who, inst, local = session.identity(), resources.installation(), session.local()
    when = f"next {local.stamp(row.next_due_at)}" if row.is_active else "paused"
    ui.draw(
        f'<div class="row"><b>{escape(row.name)}</b> <small>{escape(when)}</small></div>'
        f"<small>{escape(REPORT_TYPES.get(row.report_type, row.report_type))} of the last {escape(row.period)}, "
        f"{escape(', '.join(FORMATS.get(kind, kind) for kind in row.formats))}, {escape(LANGUAGES.get(row.language, row.language))}, "
        f"to {escape(', '.join(row.recipients))}</small>"
    )
    if not who.may("generate_reports"):
        return
    pause, delete = st.columns(2)
    word, icon = ("Pause", ":material/pause:") if row.is_active else ("Resume", ":material/play_arrow:")
    if pause.button(word, key=f"switch-{row.id}", icon=icon):
        attempt(
            lambda: schedules.switch_schedule(inst, who.factory_id, row.id, who.user_id, is_active=not row.is_active),
            "Paused." if row.is_active else "Resumed.",
        )
    if delete.button("Delete", key=f"remove-{row.id}", icon=":material/delete:"):
        attempt(lambda: schedules.remove_schedule(inst, who.factory_id, row.id, who.user_id), "The schedule was deleted.")


def _new_schedule() -> None:
    who, inst, machines = session.identity(), resources.installation(), loads.machine_names(session.identity().factory_id)
    when = st.selectbox("When", list(TIMES), key="schedule-when")
    cron, period = TIMES[when]
    with st.form("new-schedule", border=False):
        if when == OWN_CRON:
            cron = st.text_input("Cron, on the factory's clock", placeholder="30 5 * * 1-5", max_chars=100, key="schedule-cron")
            period = st.selectbox("Covers the last whole", ["day", "week", "month"], index=1, key="schedule-period")
        kind = st.selectbox("Report", list(REPORT_TYPES), format_func=REPORT_TYPES.__getitem__, key="schedule-type")
        name = st.text_input("Name", placeholder="The usual title", max_chars=255, key="schedule-name")
        chosen = st.multiselect(
            "Machines", list(machines), format_func=machines.__getitem__, placeholder="All machines", key="schedule-machines"
        )
        formats = st.multiselect("Formats", list(FORMATS), ["pdf", "excel"], format_func=FORMATS.__getitem__, key="schedule-formats")
        language = st.selectbox("Language", list(LANGUAGES), format_func=LANGUAGES.__getitem__, key="schedule-language")
        to = st.text_input("Recipients", placeholder="mail addresses, separated by commas", key="schedule-to")
        attached = st.checkbox("Send the file with the mail", key="schedule-attached")
        after = st.selectbox("After a downtime", list(DOWNTIME), format_func=DOWNTIME.__getitem__, key="schedule-downtime")
        if not st.form_submit_button("Add the schedule", type="primary"):
            return
    asked = {
        "name": name.strip() or REPORT_TYPES[kind], "report_type": kind, "device_ids": chosen, "formats": formats or ["pdf"], "cron": cron,
        "recipients": [address for address in to.split(",") if address.strip()], "period": period, "language": language,
        "delivery": "attachment" if attached else "link", "catches_up": after,
    }  # fmt: skip
    attempt(
        lambda: schedules.add_schedule(inst, who.factory_id, who.user_id, ScheduleOrder.model_validate(asked)), "The schedule was added."
    )


def logo_of_factory() -> None:
    """The picture on the cover."""
    who, inst = session.identity(), resources.installation()
    found = logo.logo_of(inst.settings, who.factory_id)
    if found is not None:
        st.image(found, width=160)
        if who.may("generate_reports") and st.button("Remove the logo", icon=":material/delete:"):
            attempt(lambda: logo.remove_logo(inst, who.factory_id, who.user_id), "The logo was removed.")
    elif not who.may("generate_reports"):
        ui.draw("<p>This factory has no logo yet.</p>")
    if not who.may("generate_reports"):
        return
    with st.form("logo", border=False, clear_on_submit=True):
        uploaded = st.file_uploader("PNG or JPEG", type=["png", "jpg", "jpeg"], key="logo-file")
        if st.form_submit_button("Use as logo") and uploaded is not None:
            attempt(lambda: logo.set_logo(inst, who.factory_id, who.user_id, uploaded.getvalue()), "The logo stands on the next cover.")
