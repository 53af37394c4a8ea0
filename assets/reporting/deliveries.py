"""Mails about scheduled reports: one row for each person and report, sent once, tried again for about an hour, and kept as the record."""

from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select

from assets.reporting.downloads import stored_file
from rules.notify.channels import Attachment, Message
from rules.notify.email import email_channel
from warehouse.errors import FactoryOpsError, PermanentError
from warehouse.installation import Installation
from warehouse.models.people import User
from warehouse.models.reporting import ReportDelivery, ReportSchedule
from warehouse.models.work import Report
from warehouse.tenancy import system_session, tenant_session

MOST_ATTEMPTS: Final = 6
LARGEST_ATTACHMENT_BYTES: Final = 15 * 1024 * 1024
log = structlog.get_logger()


def deliveries(installation: Installation, factory_id: int, report_id: str) -> list[ReportDelivery]:
    """To whom a report was sent, or is to be sent, oldest first."""
    with tenant_session(installation.db, factory_id) as session:
        return list(session.scalars(select(ReportDelivery).where(ReportDelivery.report_id == report_id).order_by(ReportDelivery.id)))


def enqueue_deliveries(installation: Installation) -> int:
    """Writes a delivery for each recipient of finished scheduled reports, and one to the owner of a failed one; each once."""
    made = 0
    with system_session(installation.db, "deliveries of finished reports", write=True) as session:
        known = select(ReportDelivery.report_id)
        done = session.execute(
            select(Report, ReportSchedule)
            .join(ReportSchedule, ReportSchedule.id == Report.schedule_id)
            .where(Report.status.in_(["complete", "failed"]), Report.id.not_in(known))
        ).all()
        for report, schedule in done:
            failed = report.status == "failed"
            owner = session.get(User, schedule.owner_id)
            to = [owner.email] if failed and owner else schedule.recipients
            for recipient in dict.fromkeys(to):
                session.add(
                    ReportDelivery(
                        factory_id=report.factory_id, report_id=report.id, recipient=recipient, kind="failure" if failed else "report",
                        with_attachment=schedule.delivery == "attachment" and not failed, next_attempt_at=installation.clock.now(),
                    )
                )  # fmt: skip
                made += 1
    return made


def send_due(installation: Installation) -> tuple[int, int]:
    """Sends what waits; returns how many were sent and how many failed this time. A failed one is tried again, later each time."""
    now = installation.clock.now()
    with system_session(installation.db, "mails about reports") as session:
        waiting = session.execute(
            select(ReportDelivery.id, ReportDelivery.factory_id).where(
                ReportDelivery.status == "pending", ReportDelivery.next_attempt_at <= now
            )
        ).all()
    channel, sent, failed = email_channel(installation.settings), 0, 0
    try:
        for delivery_id, factory_id in waiting:
            if _send(installation, channel, factory_id, delivery_id):
                sent += 1
            else:
                failed += 1
    finally:
        channel.close()
    return sent, failed


def _send(installation: Installation, channel: Any, factory_id: int, delivery_id: int) -> bool:
    with tenant_session(installation.db, factory_id) as session:
        delivery = session.get_one(ReportDelivery, delivery_id)
        report = session.get_one(Report, delivery.report_id)
    problem = None
    try:
        channel.send(_message(installation, report, delivery))
    except FactoryOpsError as failed:
        problem = failed
    now = installation.clock.now()
    with tenant_session(installation.db, factory_id, write=True) as session:
        row = session.get_one(ReportDelivery, delivery_id)
        row.attempts += 1
        if problem is None:
            row.status, row.sent_at, row.last_error = "sent", now, None
        else:
            row.last_error = problem.message[:1000]
            is_over = isinstance(problem, PermanentError) or row.attempts >= MOST_ATTEMPTS
            row.status = "failed" if is_over else "pending"
            log.warning("report_not_delivered", report_id=row.report_id, attempts=row.attempts, is_over=is_over, problem=problem.message)
            row.next_attempt_at = now + timedelta(minutes=2**row.attempts)
    return problem is None


def _message(installation: Installation, report: Report, delivery: ReportDelivery) -> Message:
    title = " ".join((report.title or report.report_type).split())
    link = f"{installation.settings.app_url.rstrip('/')}/reports?report={report.id}"
    attachments: tuple[Attachment, ...] = ()
    if delivery.kind == "failure":
        subject, body = f"Report failed: {title}", f"The scheduled report “{title}” could not be made: {report.error_message}\n\n{link}\n"
    else:
        subject = f"Report: {title}"
        body = f"“{title}” for {report.date_range_start:%Y-%m-%d} to {report.date_range_end:%Y-%m-%d} (UTC) is ready.\n\n{link}\n"
        if delivery.with_attachment:
            name, content = stored_file(installation, report.factory_id, report.id, report.format)
            if len(content) <= LARGEST_ATTACHMENT_BYTES:
                attachments = (Attachment(name, content),)
            else:
                body += "\nThe file is too large for a mail; it is behind the link.\n"
    return Message(
        notification_id=delivery.id, alert_id=0, channel="email", recipient=delivery.recipient, subject=subject, body=body,
        idempotency_key=f"report-{delivery.id}", created_at=delivery.created_at, attempt=delivery.attempts + 1, attachments=attachments,
    )  # fmt: skip
