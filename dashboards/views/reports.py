"""Reports: what was made, what is being made, a new one, schedules, and whether a file is genuine."""

from html import escape

import streamlit as st

from assets.reporting.deliveries import deliveries
from assets.reporting.downloads import stored_file
from assets.reporting.parameters import REPORT_TYPES
from dashboards import frame, resources, session, ui
from dashboards.forms import attempt
from dashboards.report_forms import logo_of_factory, new_report, scheduling
from warehouse import reports
from warehouse.errors import FactoryOpsError, NotFoundError
from warehouse.models.work import Report


@st.fragment(run_every="3s")
def listing() -> None:
    """Newest first; draws again by itself, so that progress shows."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    found = reports.latest(inst.db, who.factory_id, 30)
    if not found:
        ui.draw(ui.state_panel("empty", "rule", "No reports yet", f"Reports of {who.factory_name} appear here when the first one is made."))
        return
    asked = st.query_params.get("report", "")
    for row in found:
        name = f"{row.title or REPORT_TYPES.get(row.report_type, row.report_type)} · {local.stamp(row.created_at)} · {state_of(row)}"
        with st.expander(name, expanded=row.id == asked):
            one(row)


def state_of(row: Report) -> str:
    """In a word or two, for the list."""
    if row.status == "running":
        return f"{row.progress_percent:.0f} %, {row.stage or 'working'}"
    if row.status == "complete" and row.file_url is None:
        return "kept time is over"
    return {"pending": "waiting", "complete": "ready", "failed": "failed"}.get(row.status, row.status)


def one(row: Report) -> None:
    """One report: first page, files, signatures, or what went wrong."""
    who, inst, local = session.identity(), resources.installation(), session.local()
    if row.status == "running":
        st.progress(min(row.progress_percent, 100) / 100, row.stage or "working")
    if row.status == "failed":
        ui.draw(ui.state_panel("error small", "high", "The report could not be made", row.error_message or "No reason was written."))
        sent(row)
    if (
        row.status in {"pending", "failed"}
        and who.may("generate_reports")
        and st.button("Delete", key=f"delete-{row.id}", icon=":material/delete:")
    ):
        attempt(lambda: reports.delete(inst.db, inst.clock, who.factory_id, row.id, who.user_id), "Deleted.")
    if row.status != "complete" or row.file_url is None:
        return
    left, right = st.columns([1, 1.4], gap="medium")
    with left:
        preview(row)
    with right:
        files = [f for f in reports.files(inst.db, who.factory_id, row.id) if f.replaced_at is None and f.kind in reports.DOWNLOADS]
        lines = "".join(
            f'<li><a href="/api/v1/reports/{row.id}/download?kind={f.kind}" target="_self">{escape(f.name)}</a> '
            f"<small>{f.size_bytes / 1e6:.2f} MB · SHA-256 {f.sha256[:16]}</small></li>"
            for f in files
        )
        ui.draw(ui.section("Files"), f"<ul>{lines}</ul>")
        signed = reports.signatures(inst.db, who.factory_id, row.id)
        words = "".join(f"<li>{escape(s.meaning)} by {escape(s.name)}, {escape(local.stamp(s.signed_at))}</li>" for s in signed)
        ui.draw(ui.section("Signatures"), f"<ul>{words}</ul>" if words else "<p>Nobody has reviewed or approved it yet.</p>")
        sent(row)
        if who.may_work and row.format == "pdf" and len(signed) < 2:
            sign(row, {s.meaning for s in signed})


def sent(row: Report) -> None:
    """To whom it went; nothing for a report that no schedule ordered."""
    local, words = session.local(), {"pending": "waits", "failed": "could not be delivered"}
    lines = "".join(
        f"<li>{escape(d.recipient)}: {escape(local.stamp(d.sent_at)) if d.sent_at else words.get(d.status, d.status)}"
        f"{escape(f' ({d.last_error})') if d.last_error else ''}</li>"
        for d in deliveries(resources.installation(), session.identity().factory_id, row.id)
    )
    if lines:
        ui.draw(ui.section("Sent to"), f"<ul>{lines}</ul>")


def preview(row: Report) -> None:
    """The first page as a picture."""
    try:
        _, picture = stored_file(resources.installation(), session.identity().factory_id, row.id, "preview")
    except NotFoundError:
        st.caption("This report has no pages to show.")
        return
    except FactoryOpsError as problem:
        st.error(problem.message)
        return
    st.image(picture, caption="First page")


def sign(row: Report, done: set[str]) -> None:
    """Review or approve: the password again, and what the signature means."""
    who, inst = session.identity(), resources.installation()
    with st.popover("Review or approve", icon=":material/draw:"), st.form(f"sign-{row.id}", border=False):
        meaning = st.selectbox("Meaning", [m for m in ("reviewed", "approved") if m not in done], key=f"meaning-{row.id}")
        comment = st.text_input(
            "Statement on the report", placeholder="Findings are correct to my knowledge", max_chars=200, key=f"said-{row.id}"
        )
        password = st.text_input("Your password", type="password", key=f"password-{row.id}")
        if st.form_submit_button("Sign", type="primary"):
            from assets.reporting import proof  # noqa: PLC0415  # 150 MB of PDF libraries that looking needs not

            attempt(
                lambda: proof.sign(inst, who.factory_id, row.id, who.user_id, password=password, meaning=str(meaning), comment=comment),
                "Signed; the new PDF carries your name.",
            )


def verification() -> None:
    """Is this file genuine?"""
    uploaded = st.file_uploader("A report file, from anywhere", type=None, key="verify")
    if uploaded is None:
        return
    from assets.reporting import proof  # noqa: PLC0415  # as above

    found = proof.verify(resources.installation(), session.identity().factory_id, uploaded.getvalue())
    kind, glyph = ("ok", "check") if found.verdict == "genuine" else ("error", "high")
    more = f" Sealed {session.local().stamp(found.signed_at)}." if found.signed_at else ""
    ui.draw(ui.state_panel(f"{kind} small", glyph, found.verdict.capitalize(), found.reason + more))


frame.header("Reports")
main, side = st.columns([1.7, 1], gap="small")
with main, st.container(key="card-reports"):
    ui.draw(ui.section(f"Reports of {session.identity().factory_name}"))
    listing()
with side:
    if session.identity().may("generate_reports"):
        with st.container(key="card-new-report"):
            ui.draw(ui.section("New report"))
            new_report()
    with st.container(key="card-verify"):
        ui.draw(ui.section("Is a file genuine?"))
        verification()
    with st.container(key="card-schedules"):
        ui.draw(ui.section("Schedules"))
        scheduling()
    with st.container(key="card-logo"):
        ui.draw(ui.section("Logo on the cover"))
        logo_of_factory()
frame.tabbar("reports")
