"""Schedules: on the factory's clock, each occurrence once, also after downtime."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.reporting.due import check_cron, next_due, occurrences, period_of
from assets.reporting.schedules import add_schedule, create_due, enqueue_deliveries, schedules, send_due
from tests.assets.reporting.conftest import Plant
from tests.fixtures.mail import SmtpServer
from warehouse import reports
from warehouse.clock import ManualClock
from warehouse.errors import InvalidInputError
from warehouse.models.work import Report
from warehouse.tenancy import tenant_session

ZONE = "Asia/Ho_Chi_Minh"


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
    add_schedule(plant.installation, 1, 7, **fields | more)


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


def test_only_one_worker_gets_a_report(plant: Plant) -> None:
    report = plant.order()
    claims = [reports.claim(plant.installation.db, plant.installation.clock, report.id) for _ in range(3)]
    assert [claim is not None for claim in claims] == [True, False, False]
