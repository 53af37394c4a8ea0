"""Every page, without a browser."""

from datetime import timedelta

import pytest

from rules.notify.wishes import wishes_of
from tests.alert_work import add_alert_work
from tests.dashboards.conftest import Pages, words
from warehouse.models.alerting import Alert, Notification
from warehouse.models.devices import DeviceParameter, LatestValue
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

pytestmark = pytest.mark.slow


def test_the_overview_shows_counts_power_health_and_newest_alerts(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north))
    assert '<span class="big" data-fact="online">2<small class="mute"> of 3 online' in said
    assert '<span class="big" data-fact="alerts">1</span>' in said
    assert '<span class="big" data-fact="power">2.00<u>kW</u>' in said
    assert '<span class="big" data-fact="health">94<small' in said  # 100 - 5 for a critical alert - 1 for a silent machine
    assert "NOR overheat" in said


def test_energy_today_is_the_integral_of_power(seen_pages: Pages) -> None:
    # 3 machines at 1 kW from 14:00 to 14:59 factory time; the newest reading counts until now, 15:00.
    assert '<b data-fact="energy-today">3.00<u>kWh</u></b>' in words(seen_pages.open(seen_pages.plants.north))


def test_times_are_the_factorys(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north))
    assert "<b>15:00</b> GMT+7" in said
    assert 'title="5 Jan 2026 14:50:00 GMT+7"' in said


def test_a_factory_without_machines_says_how_the_first_one_comes(seen_pages: Pages) -> None:
    for view in ("overview", "machines"):
        assert "No machines yet" in words(seen_pages.open(seen_pages.plants.empty, view))


def test_machines_are_listed_worst_first(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "machines"))
    assert said.index("NOR-01") < said.index("NOR-03") < said.index("NOR-02")  # fault, silent, running
    assert "3 of 3 machines, worst first" in said


def test_filters_of_machines_come_from_the_address(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "machines", state="offline"))
    assert "NOR-03" in said
    assert "NOR-01" not in said


def test_searching_machines_for_nothing_that_exists_says_so(seen_pages: Pages) -> None:
    app = seen_pages.open(seen_pages.plants.north, "machines")
    said = words(app.text_input(key="machines-q").set_value("no such").run())
    assert "No machine matches" in said


def test_a_machine_shows_each_value_with_its_limit(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "machine", device="NOR-01"))
    hot = said[said.index('data-parameter="spindle_temp"') :].split("</div><div class=", 1)[0]
    assert 'class="kpi critical" data-parameter="spindle_temp"' in said
    assert "85.0<u>°C</u>" in hot
    assert "limit 80" in said
    assert "1.00<u>kW</u>" in said  # watts from 1,000 on


def test_values_of_a_silent_machine_are_marked_as_stale(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "machine", device="NOR-03"))
    assert said.count('class="kpi stale"') == 3
    assert "Stale, not live" in said
    assert "No data" in said


def test_a_parameter_that_was_never_seen_before_appears_with_the_next_refresh(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    app = pages.open(plant, "machine", device="NOR-01")
    assert 'data-parameter="torque_nm"' not in words(app)
    with tenant_session(inst.db, plant.person.factory_id) as session:
        device_id, now = plant.devices["NOR-01"], inst.clock.now()
        session.add(DeviceParameter(device_id=device_id, parameter_key="torque_nm"))
        session.add(LatestValue(device_id=device_id, parameter_key="torque_nm", ts=now, value=12.5, received_at=now))
    pages.forget()  # a second and more lies between two refreshes
    said = words(app.run())
    assert 'data-parameter="torque_nm"' in said
    assert "Torque nm" in said
    assert "12.5" in said


def test_text_from_a_machine_is_shown_as_text(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    with tenant_session(inst.db, plant.person.factory_id) as session:
        device_id, now = plant.devices["NOR-01"], inst.clock.now()
        session.add(DeviceParameter(device_id=device_id, parameter_key="program", display_name="<b>Program</b>", data_type="string"))
        session.add(LatestValue(device_id=device_id, parameter_key="program", ts=now, text="<script>alert(1)</script>", received_at=now))
    said = words(pages.open(plant, "machine", device="NOR-01"))
    assert "<script>" not in said
    assert "&lt;script&gt;alert(1)" in said
    assert "&lt;b&gt;Program&lt;/b&gt;" in said


def test_a_machine_that_does_not_exist_has_a_page_that_says_so(seen_pages: Pages) -> None:
    assert "There is no such machine here" in words(seen_pages.open(seen_pages.plants.north, "machine", device="nope"))
    assert "There is no such machine here" in words(seen_pages.open(seen_pages.plants.north, "machine"))


def test_alerts_are_explained(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "alerts"))
    assert "<b>Spindle temperature (82.5 °C)</b> exceeded threshold (80 °C)" in said
    assert "1 time" in said  # the same alert, 50 minutes before
    assert "NOR hose replaced" in said


def test_filters_of_alerts_come_from_the_address(seen_pages: Pages) -> None:
    north = seen_pages.plants.north
    assert "No alert matches" in words(seen_pages.open(north, "alerts", severity="low"))
    assert "Resolved</span>" in words(seen_pages.open(north, "alerts", status="resolved"))
    assert "No alert matches" in words(seen_pages.open(north, "alerts", machine="NOR-02"))
    assert "No alert matches" in words(seen_pages.open(north, "alerts", q="no such"))


def test_a_value_in_the_address_that_is_no_choice_is_ignored(seen_pages: Pages) -> None:
    assert "NOR overheat" in words(seen_pages.open(seen_pages.plants.north, "alerts", severity="'><script>", status="x"))


def test_an_alert_that_does_not_exist_has_a_panel_that_says_so(seen_pages: Pages) -> None:
    for asked in ("999999", "x", "9" * 40, "-1"):
        assert "There is no such alert here" in words(seen_pages.open(seen_pages.plants.north, "alerts", id=asked))


def test_no_alerts_is_good_news(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.empty, "alerts"))
    assert "No active alerts" in said
    assert "No alert was ever raised here." in said


def test_acknowledging_an_alert_tells_who_has_it(pages: Pages) -> None:
    plant = pages.plants.north
    app = pages.open(plant, "alerts")
    app.button(key=f"acknowledge-{plant.alerts[0]}").click().run()
    with tenant_session(pages.plants.installation.db, plant.person.factory_id) as session:
        assert session.get_one(Alert, plant.alerts[0]).acknowledged_by == plant.person.user_id
    assert "Chief of North has it" in words(app.run())


def test_resolving_an_alert_keeps_the_comment(pages: Pages) -> None:
    plant = pages.plants.north
    app = pages.open(plant, "alerts", id=str(plant.alerts[0]))
    app.text_area(key=f"resolution-{plant.alerts[0]}").set_value("Coolant refilled")
    next(button for button in app.button if button.label == "Resolve this alert").click().run()
    with tenant_session(pages.plants.installation.db, plant.person.factory_id) as session:
        alert = session.get_one(Alert, plant.alerts[0])
    assert (alert.resolved_by, alert.resolution_comment) == (plant.person.user_id, "Coolant refilled")
    assert "Chief of North resolved it: Coolant refilled" in words(app.run())


def test_an_alert_is_assigned_commented_and_silenced(pages: Pages) -> None:
    plant = pages.plants.north
    alert = plant.alerts[0]
    app = pages.open(plant, "alerts", id=str(alert))

    def press(label: str) -> str:
        next(button for button in app.button if button.label == label).click().run()
        return words(app.run())

    app.selectbox(key=f"assignee-{alert}").set_value(plant.person.user_id)
    assert "Chief of North assigned it to Chief of North" in press("Assign")
    app.text_area(key=f"comment-text-{alert}").set_value("Hose is <loose>")
    assert "Chief of North: Hose is &lt;loose&gt;" in press("Add the comment")
    app.selectbox(key=f"silence-scope-{alert}").set_value("Everything on NOR-01")
    app.text_input(key=f"silence-reason-{alert}").set_value("new spindle")
    press("Silence")
    said = words(pages.open(plant, "alerts", tab="silences"))
    assert "NOR-01</b><span>new spindle</span>" in said
    assert "until 16:00" in said


def test_a_silence_is_ended_and_a_dead_message_sent_again_from_their_tab(pages: Pages) -> None:
    plant, db = pages.plants.north, pages.plants.installation.db
    ids = add_alert_work(pages.plants, plant)
    pages.plants.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]  # a ManualClock
    app = pages.open(plant, "alerts", tab="silences")
    assert "refused</span><small>E-mail to chief@north.example" in words(app)
    app.button(key=f"resend-{ids['message_id']}").click().run()
    app.button(key=f"end-silence-{ids['silence_id']}").click().run()
    said = words(app.run())
    assert "Every message was delivered" in said
    assert "Nothing is silent" in said
    with tenant_session(db, plant.person.factory_id) as session:
        assert session.get_one(Notification, ids["message_id"]).status == "pending"


def test_a_person_says_how_they_want_to_hear(pages: Pages) -> None:
    plant, db = pages.plants.north, pages.plants.installation.db
    app = pages.open(plant, "alerts", tab="messages")
    app.selectbox(key="wish-email-least").set_value("high")
    app.toggle(key="wish-email-limited").set_value(True)
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    wish = wishes_of(db, plant.person.factory_id, plant.person.user_id)[0]
    assert (wish.least_severity, wish.hours) == ("high", {"start_time": "06:00", "end_time": "18:00", "days": [1, 2, 3, 4, 5, 6, 7]})


def test_the_quality_of_the_alarms_is_told_beside_its_goals(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "alerts", tab="quality"))
    assert '<span class="big">5.00<u>min</u></span><small>on average' in said
    assert "goal: at most 10" in said
    assert "No alert is older than a day." in said


def test_a_viewer_is_offered_nothing_to_change(pages: Pages) -> None:
    plant = pages.plants.north
    with tenant_session(pages.plants.installation.db, plant.person.factory_id) as session:
        session.get_one(User, plant.person.user_id).role = "viewer"
    app = pages.open(plant, "alerts")
    assert "NOR overheat" in words(app)
    assert [button.label for button in app.button] == []


def test_more_tells_who_is_signed_in_and_offers_the_way_out(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "more"))
    assert "Chief of North" in said
    assert "Plant North" in said
    assert 'class="sign-out' in said


def test_an_open_page_ends_with_its_session(pages: Pages) -> None:
    app = pages.open(pages.plants.north)
    assert "NOR-01" in words(app)
    pages.plants.clock.advance(timedelta(hours=25))
    said = words(app.run())
    assert "You are signed out" in said
    assert "NOR" not in said


def test_while_the_lake_is_away_pages_say_so_and_go_on_with_what_is_live(pages: Pages) -> None:
    inst = pages.plants.installation
    inst.lake.close()
    (inst.settings.home / "lake").rename(inst.settings.home / "lake-away")
    said = words(pages.open(pages.plants.north))
    assert "Energy cannot be read now" in said
    assert "Power cannot be read now" in said
    assert '<span class="big" data-fact="power">2.00<u>kW</u>' in said
    said = words(pages.open(pages.plants.north, "machine", device="NOR-01"))
    assert "History cannot be read now" in said
    assert "85.0<u>°C</u>" in said
    assert "History cannot be read now" in words(pages.open(pages.plants.north, "alerts"))


@pytest.mark.parametrize("view", ["overview", "machines", "machine", "alerts", "more"])
def test_no_page_shows_program_text(seen_pages: Pages, view: str) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, view, device="NOR-01"))
    for forbidden in ("None", "nan", "datetime", "Traceback", "{'", "factory_id", "UTC", "Etc/"):
        assert forbidden not in said
