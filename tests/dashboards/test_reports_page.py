"""The page Reports: a report is ordered as the form says, a schedule is made, paused and deleted."""

import pytest
from streamlit.testing.v1 import AppTest

from assets.reporting.schedules import schedules
from tests.dashboards.conftest import Pages, words
from warehouse import reports

pytestmark = pytest.mark.slow


def press(app: AppTest, label: str) -> str:
    next(button for button in app.button if button.label.endswith(label)).click().run()
    return words(app)


def test_a_report_is_ordered_for_own_dates_in_another_language(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    app = pages.open(plant, "reports")
    app.selectbox(key="report-period").set_value("Own dates").run()
    next(box for box in app.selectbox if box.label == "Language").set_value("de")
    press(app, "Make the report")
    (row,) = reports.latest(inst.db, plant.person.factory_id)
    assert (row.language, row.also, row.status) == ("de", ["pdf", "excel"], "pending")
    assert (row.date_range_end - row.date_range_start).days == 7


def test_a_schedule_is_made_with_everything_that_the_form_offers_paused_and_deleted(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    app = pages.open(plant, "reports")
    app.selectbox(key="schedule-when").set_value("Every day at 06:00").run()
    app.text_input(key="schedule-to").set_value("boss@north.example, chief@north.example")
    app.selectbox(key="schedule-language").set_value("vi")
    app.multiselect(key="schedule-formats").set_value(["excel", "json"])
    app.selectbox(key="schedule-downtime").set_value(False)
    press(app, "Add the schedule")
    (row,) = schedules(inst, plant.person.factory_id)
    assert (row.cron, row.period, row.language, row.formats, row.catches_up) == ("0 6 * * *", "day", "vi", ["excel", "json"], False)
    assert row.recipients == ["boss@north.example", "chief@north.example"]
    assert "paused" in press(app, "Pause")
    press(app, "Delete")
    assert schedules(inst, plant.person.factory_id) == []


def test_a_schedule_without_a_mail_address_is_explained(pages: Pages) -> None:
    plant = pages.plants.north
    app = pages.open(plant, "reports")
    app.text_input(key="schedule-to").set_value("nobody")
    press(app, "Add the schedule")
    assert "recipients" in app.error[0].value
    assert schedules(pages.plants.installation, plant.person.factory_id) == []
