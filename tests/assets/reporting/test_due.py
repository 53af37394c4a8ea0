"""Schedules: on the factory's clock, each occurrence once, also after downtime."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from pydantic import ValidationError

from assets.reporting.deliveries import MOST_ATTEMPTS, deliveries, enqueue_deliveries, send_due
from assets.reporting.due import check_cron, next_due, occurrences, period_of
from assets.reporting.parameters import ScheduleOrder
from assets.reporting.run import save
from assets.reporting.schedules import add_schedule, create_due, find_schedule, remove_schedule, schedules, switch_schedule
from tests.assets.reporting.conftest import Plant
from tests.fixtures.mail import SmtpServer
from tests.helpers import free_port
from warehouse import reports
from warehouse.clock import ManualClock
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.work import Report
from warehouse.tenancy import tenant_session

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
def plant(empty_plant: Plant) -> Plant:
    """What is tested here needs no readings."""
    return empty_plant


def at(day: int, hour: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_monday_at_six_is_on_the_factorys_clock() -> None:
    assert next_due("0 6 * * 1", ZONE, at(2, 0)) == at(8, 23)


def test_summer_time_moves_the_utc_hour() -> None:
    assert [next_due("0 6 * * *", "Europe/Berlin", at(day, 12)).hour for day in (27, 28)] == [5, 4]


def test_the_period_is_the_last_whole_one() -> None:
    due = at(8, 23)
    assert period_of("week", ZONE, due) == (at(1, 17), at(8, 17))
    assert period_of("day", ZONE, due) == (at(7, 17), at(8, 17))
    assert period_of("month", ZONE, due) == (datetime(2026, 1, 31, 17, tzinfo=UTC), datetime(2026, 2, 28, 17, tzinfo=UTC))


def test_after_downtime_all_or_only_the_newest() -> None:
    first, now = at(1, 23), at(5, 1)
    assert len(occurrences("0 6 * * *", ZONE, first, now, catches_up=True)) == 4
    assert occurrences("0 6 * * *", ZONE, first, now, catches_up=False) == [at(4, 23)]


@pytest.mark.parametrize("cron", ["", "every monday", "61 * * * *", "0 6 * * 1 2026 *"])
def test_what_is_no_cron_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInputError):
        check_cron(cron)


def scheduled(plant: Plant, **more: Any) -> None:
    fields = {
        "name": "Daily",
        "report_type": "compliance",
        "formats": ["pdf"],
        "recipients": ["a@x.example", "b@x.example"],
        "cron": "0 6 * * *",
        "period": "day",
    }
    add_schedule(plant.installation, 1, 7, ScheduleOrder.model_validate(fields | more))


def later(plant: Plant, days: float) -> None:
    clock = plant.installation.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(days=days))


def test_each_occurrence_is_ordered_exactly_once(plant: Plant) -> None:
    scheduled(plant)
    assert create_due(plant.installation) == []
    later(plant, 3)
    assert len(create_due(plant.installation)) == 3
    assert create_due(plant.installation) == []
    assert schedules(plant.installation, 1)[0].next_due_at > plant.installation.clock.now()


def test_after_downtime_only_the_newest_is_ordered_when_set_so(plant: Plant) -> None:
    scheduled(plant, catches_up=False)
    later(plant, 3)
    assert len(create_due(plant.installation)) == 1


def test_any_number_of_workers_order_each_occurrence_once(plant: Plant) -> None:
    scheduled(plant)
    later(plant, 3)
    with ThreadPoolExecutor(4) as workers:
        made = [report_id for found in workers.map(lambda _: create_due(plant.installation), range(4)) for report_id in found]
    assert len(made) == len(set(made)) == 3


def test_a_report_is_ordered_as_its_schedule_says(plant: Plant) -> None:
    scheduled(plant, language="de", formats=["excel", "pdf"], device_ids=[2], period="week", report_type="energy")
    later(plant, 1)
    report = reports.find(plant.installation.db, 1, create_due(plant.installation)[0])
    assert (report.language, report.format, report.also, report.device_ids) == ("de", "excel", ["excel", "pdf"], [2])
    assert (report.report_type, report.date_range_end - report.date_range_start) == ("energy", timedelta(days=7))


def test_a_paused_schedule_orders_nothing_and_goes_on_from_now(plant: Plant) -> None:
    scheduled(plant)
    (row,) = schedules(plant.installation, 1)
    switch_schedule(plant.installation, 1, row.id, 7, is_active=False)
    later(plant, 3)
    assert create_due(plant.installation) == []
    switch_schedule(plant.installation, 1, row.id, 7, is_active=True)
    assert create_due(plant.installation) == []
    later(plant, 1)
    assert len(create_due(plant.installation)) == 1


def test_a_deleted_schedule_leaves_its_reports(plant: Plant) -> None:
    scheduled(plant)
    later(plant, 1)
    (report_id,) = create_due(plant.installation)
    (row,) = schedules(plant.installation, 1)
    remove_schedule(plant.installation, 1, row.id, 7)
    with pytest.raises(NotFoundError):
        find_schedule(plant.installation, 1, row.id)
    assert reports.find(plant.installation.db, 1, report_id).schedule_id is None


def test_a_schedule_for_a_foreign_machine_is_refused(plant: Plant) -> None:
    with pytest.raises(NotFoundError, match="machine 99"):
        scheduled(plant, device_ids=[99])


@pytest.mark.parametrize("wrong", [{"recipients": ["nobody"]}, {"recipients": []}, {"formats": []}, {"period": "year"}, {"language": "xx"}])
def test_a_schedule_that_cannot_work_is_refused(plant: Plant, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        scheduled(plant, **wrong)


def finish(plant: Plant, status: str) -> None:
    with tenant_session(plant.installation.db, 1) as session:
        for report in session.query(Report):
            report.status, report.error_message = status, "the lake is away" if status == "failed" else None


def test_a_finished_report_is_mailed_once_to_each_recipient(plant: Plant, smtp_server: SmtpServer) -> None:
    settings = plant.installation.settings.model_copy(update={"smtp_host": smtp_server.host, "smtp_port": smtp_server.port})
    object.__setattr__(plant.installation, "settings", settings)
    scheduled(plant)
    later(plant, 1)
    create_due(plant.installation)
    finish(plant, "complete")
    assert enqueue_deliveries(plant.installation) == 2
    assert enqueue_deliveries(plant.installation) == 0
    assert send_due(plant.installation) == (2, 0)
    assert send_due(plant.installation) == (0, 0)
    assert sorted(mail.recipients[0] for mail in smtp_server.mails) == ["a@x.example", "b@x.example"]
    assert "/reports?report=" in smtp_server.mails[0].message.get_content()


def test_a_failure_is_told_to_the_owner(plant: Plant) -> None:
    scheduled(plant)
    later(plant, 1)
    create_due(plant.installation)
    finish(plant, "failed")
    assert enqueue_deliveries(plant.installation) == 1
    assert send_due(plant.installation) == (1, 0)
    (mail,) = plant.installation.settings.mail_folder.glob("*.eml")
    assert b"linh@donga.example" in mail.read_bytes()
    assert b"the lake is away" in mail.read_bytes()


def test_the_file_goes_with_the_mail_when_the_schedule_says_so(plant: Plant) -> None:
    inst = plant.installation
    scheduled(plant, delivery="attachment", formats=["json"], recipients=["a@x.example"])
    later(plant, 1)
    (report_id,) = create_due(inst)
    facts = {"run": "RPT-DONGA-1", "snapshot_id": 1, "data_sha256": "0" * 64}
    save(inst, reports.find(inst.db, 1, report_id), {"json": b'{"answer": 42}'}, "report.made", {}, facts)
    enqueue_deliveries(inst)
    assert send_due(inst) == (1, 0)
    (mail,) = inst.settings.mail_folder.glob("*.eml")
    parts = list(message_from_bytes(mail.read_bytes(), policy=policy.default).iter_attachments())
    assert [(part.get_filename(), part.get_content()) for part in parts] == [("RPT-DONGA-1.json", b'{"answer": 42}')]


def test_a_mail_that_cannot_be_sent_is_tried_again_and_its_record_says_why(plant: Plant) -> None:
    settings = plant.installation.settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": free_port()})
    object.__setattr__(plant.installation, "settings", settings)
    scheduled(plant, recipients=["a@x.example"])
    later(plant, 1)
    (report_id,) = create_due(plant.installation)
    finish(plant, "complete")
    enqueue_deliveries(plant.installation)
    for _ in range(MOST_ATTEMPTS):
        assert send_due(plant.installation) == (0, 1)
        assert send_due(plant.installation) == (0, 0)
        later(plant, 0.1)
    (row,) = deliveries(plant.installation, 1, report_id)
    assert (row.status, row.attempts, row.sent_at, bool(row.last_error)) == ("failed", MOST_ATTEMPTS, None, True)


def test_compliance_reports_are_kept_for_seven_years_and_others_for_a_month(plant: Plant) -> None:
    settings = plant.installation.settings
    kept = {kind: reports.retention(settings, kind).days for kind in ("compliance", "energy")}
    assert kept == {"compliance": 7 * 365 + 2, "energy": 30}
    shorter = settings.model_copy(update={"compliance_retention_days": 400, "report_retention_days": 3})
    assert [reports.retention(shorter, kind).days for kind in ("compliance", "energy")] == [400, 3]


def test_only_one_worker_gets_a_report(plant: Plant) -> None:
    report = plant.order()
    claims = [reports.claim(plant.installation.db, plant.installation.clock, report.id) for _ in range(3)]
    assert [claim is not None for claim in claims] == [True, False, False]
