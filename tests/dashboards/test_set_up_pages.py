"""The pages Users, Factory settings and System: what people change on them, and that nothing of another factory is among it."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import audit_page, audit_words
from dashboards.fmt import Local
from rules.notify.wishes import chains_of, webhooks_of
from rules.silences import list_silences
from tests.alert_work import add_alert_work
from tests.dashboards.conftest import Pages, words
from tests.fixtures.people import PASSWORD
from warehouse.access import people
from warehouse.access.accounts import factories_of
from warehouse.access.api_keys import create
from warehouse.access.rights import permissions_of, status_of
from warehouse.access.sessions import check_session
from warehouse.access.sign_in import sign_in
from warehouse.models.people import User
from warehouse.queries.summary import factory_of
from warehouse.retention import retention
from warehouse.rollups import all_marks
from warehouse.shifts import shifts_of
from warehouse.tariffs import tariff_of
from warehouse.tenancy import tenant_session

FOREIGN = re.compile(r"SOU|South|south")
ASKED = {
    "users": ("", "invite", "sign-ins", "keys", "audit"),
    "settings": ("", "shifts", "energy", "messages", "escalation", "windows"),
    "system": ("", "refused", "versions"),
}


@pytest.fixture
def boss(pages: Pages) -> Pages:
    """The person of North runs the factory."""
    for plant in (pages.plants.north, pages.plants.south):
        with tenant_session(pages.plants.installation.db, plant.person.factory_id, write=True) as session:
            session.get_one(User, plant.person.user_id).role = "super_admin"
    return pages


def press(app: AppTest, label: str) -> str:
    next(button for button in app.button if button.label == label).click().run()
    return words(app)  # fails when the change failed


def somebody(pages: Pages, email: str) -> User:
    found = people.people(pages.plants.installation.db, pages.plants.north.person.factory_id)
    return next(user for user in found if user.email == email)


@pytest.mark.slow
def test_nothing_of_another_factory_stands_on_any_tab_and_none_breaks(boss: Pages) -> None:
    inst = boss.plants.installation
    for plant in (boss.plants.north, boss.plants.south):
        add_alert_work(boss.plants, plant)
        who = check_session(inst.db, inst.settings, inst.clock, boss.plants.token(plant))
        create(inst.db, inst.clock, who, f"Key of {plant.prefix}", ["read"], inst.clock.now() + timedelta(days=1))
    foreign = str(boss.plants.south.person.user_id)
    for view, tabs in ASKED.items():
        for tab in tabs:
            app = boss.open(boss.plants.north, view, tab=tab, person=foreign)
            said = words(app)
            assert not FOREIGN.search(said), (view, tab)
            for forbidden in ("None", "datetime", "Traceback", "{'", "factory_id", "Etc/"):
                assert forbidden not in said, (view, tab, forbidden)
    assert "Key of NOR" in words(boss.open(boss.plants.north, "users", tab="keys"))


@pytest.mark.slow
def test_somebody_is_invited_by_mail_given_rights_and_deactivated(boss: Pages) -> None:
    inst, plant = boss.plants.installation, boss.plants.north
    app = boss.open(plant, "users", tab="invite")
    app.text_input(key="invite-email").set_value("Linh@north.example")
    app.checkbox(key="invite-generate_reports").set_value(True)
    press(app, "Send the invitation")
    (mail,) = inst.settings.mail_folder.glob("*invitation*.eml")
    assert "/session/invitation#" in mail.read_text()
    linh = somebody(boss, "linh@north.example")
    assert (status_of(linh), permissions_of(linh)["generate_reports"]) == ("invited", True)
    app = boss.open(plant, "users", person=str(linh.id))
    assert "Invited" in words(app)
    app.checkbox(key=f"may-{linh.id}-create_rules").set_value(True)
    press(app, "Save")
    assert permissions_of(somebody(boss, "linh@north.example"))["create_rules"]
    app.button(key=f"yes-deactivate-{linh.id}").click().run()
    assert status_of(somebody(boss, "linh@north.example")) == "deactivated"
    said = words(boss.open(plant, "users", tab="audit"))
    assert all(action in said for action in ("user.invite", "user.permissions", "user.deactivate"))
    assert "status: invited → deactivated" in said


@pytest.mark.slow
def test_the_last_administrator_is_told_why_not(boss: Pages) -> None:
    plant = boss.plants.north
    app = boss.open(plant, "users", person=str(plant.person.user_id))
    assert [button.label for button in app.button] == ["Save"]
    app = boss.open(plant, "users", tab="invite")
    app.text_input(key="invite-email").set_value("nobody")
    press(app, "Send the invitation")
    assert "is no e-mail address" in app.error[0].value


@pytest.mark.slow
def test_a_sign_in_of_somebody_else_is_ended(boss: Pages) -> None:
    inst, plant = boss.plants.installation, boss.plants.north
    app = boss.open(plant, "users", tab="sign-ins")
    other = sign_in(
        inst.db, inst.settings, inst.clock, factory_id=plant.person.factory_id, email=plant.person.email, password=PASSWORD,
        user_agent="Firefox/1 Linux", address="10.0.0.7",
    )  # fmt: skip
    app.run()
    assert "Firefox, Linux · 10.0.0.7" in words(app)
    app.button(key=f"end-{other.identity.session_id[:12]}").click().run()
    assert check_session(inst.db, inst.settings, inst.clock, other.token) is None


@pytest.mark.slow
def test_the_factory_its_shifts_and_its_tariff_are_changed(boss: Pages) -> None:
    inst, factory_id = boss.plants.installation, boss.plants.north.person.factory_id
    app = boss.open(boss.plants.north, "settings")
    app.text_input(key="factory-name").set_value("Plant Nord")
    app.selectbox(key="factory-zone").set_value("Europe/Berlin")
    app.button[0].click().run()
    changed = factory_of(inst.db, factory_id)
    assert (changed.name, changed.timezone) == ("Plant Nord", "Europe/Berlin")
    assert set(all_marks(inst.lake).rows["factory_id"].to_list()) >= {factory_id}
    app.number_input(key="keep-raw").set_value(90)
    app.button[1].click().run()
    assert retention(inst.db, 30).of_factory[factory_id] == {"raw": 90}
    app = boss.open(boss.plants.north, "settings", tab="shifts")
    app.text_input(key="shift-name-1").set_value("")
    app.time_input(key="shift-end-0").set_value(time(22))
    press(app, "Save")
    assert [(shift.name, shift.end) for shift in shifts_of(inst.db, factory_id)] == [("early", time(22)), ("night", time(6))]
    app = boss.open(boss.plants.north, "settings", tab="energy")
    app.number_input(key="tariff-otherwise").set_value(0.21)
    app.text_input(key="band-name-0").set_value("Peak")
    app.number_input(key="band-price-0").set_value(0.4)
    press(app, "Save")
    tariff = tariff_of(inst.db, factory_id)
    assert (tariff.currency, tariff.otherwise, [(band.name, band.price) for band in tariff.bands]) == ("EUR", 0.21, [("Peak", 0.4)])
    said = words(boss.open(boss.plants.north, "users", tab="audit"))
    assert "timezone: Asia/Ho_Chi_Minh → Europe/Berlin" in said
    assert all(action in said for action in ("factory.tariff", "factory.retention"))


@pytest.mark.slow
def test_messages_are_tried_webhooks_and_chains_made(boss: Pages) -> None:
    inst, plant = boss.plants.installation, boss.plants.north
    factory_id = plant.person.factory_id
    app = boss.open(plant, "settings", tab="messages")
    press(app, "Send a test")
    (mail,) = inst.settings.mail_folder.glob("*trial*.eml")
    assert f"To: {plant.person.email}" in mail.read_text()
    app.text_input(key="webhook-name").set_value("CMMS")
    app.text_input(key="webhook-url").set_value("http://127.0.0.1:9/alerts")
    assert "It is not shown again" in press(app, "Add")
    (hook,) = webhooks_of(inst.db, factory_id)
    app.button(key=f"trial-webhook-{hook.id}").click().run()
    assert "could not be reached" in app.error[0].value
    app = boss.open(plant, "settings", tab="escalation")
    app.text_input(key="chain-name-0").set_value("Night")
    app.selectbox(key="step-who-0-0").set_value(plant.person.user_id)
    said = press(app, "Save")
    assert "Chief of North at once" in said
    (chain,) = chains_of(inst.db, factory_id)
    app.button(key=f"yes-chain-{chain.chain.id}").click().run()
    assert chains_of(inst.db, factory_id) == []


@pytest.mark.slow
def test_a_maintenance_window_is_planned_by_shift_and_ended(boss: Pages) -> None:
    inst, plant = boss.plants.installation, boss.plants.north
    app = boss.open(plant, "settings", tab="windows")
    app.selectbox(key="window-when").set_value("Shift night").run()
    app.selectbox(key="window-scope").set_value("Area North hall")
    app.text_input(key="window-reason").set_value("Weekly cleaning")
    said = press(app, "Plan it")
    assert "North hall</b><span>Weekly cleaning" in said
    assert "daily shift night" in said
    (row,) = list_silences(inst.db, plant.person.factory_id, inst.clock.now())
    assert (row.region, row.schedule["shift"]) == ("North hall", "night")
    app.button(key=f"end-window-{row.id}").click().run()
    assert "Nothing is silent" in words(app)


@pytest.mark.slow
def test_a_manager_sets_up_only_what_they_may(pages: Pages) -> None:
    said = words(pages.open(pages.plants.north, "settings"))
    assert "Escalation" in said
    assert "Energy price" not in said
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id, write=True) as session:
        session.get_one(User, pages.plants.north.person.user_id).permissions = {}
    said = words(pages.open(pages.plants.north, "settings", tab="energy"))
    assert "Plan a window" in said
    assert "Escalation" not in said


@pytest.mark.slow
def test_the_system_page_tells_rates_lags_and_room(boss: Pages) -> None:
    said = words(boss.open(boss.plants.north, "system"))
    assert '<span class="big" data-fact="rate">0<u>messages/s</u></span>' in said
    assert '<span class="big" data-fact="refused">0</span>' in said
    assert "Operational database<b>" in said
    assert "No process gives a sign of life" in said


def test_the_audit_trail_is_told_in_words_also_for_actions_that_are_new_to_it() -> None:
    assert audit_words.action_words("session.open") == "Signed in"
    assert audit_words.action_words("rule.create") == "Rule: create"
    assert audit_words.action_words("new_thing.turn_over") == "new thing: turn over"
    assert audit_words.target_words("device:12") == "Machine 12"
    assert audit_words.target_words("session:3fa85f64") == "Sign-in"


def test_a_change_is_told_as_what_is_different() -> None:
    assert audit_page.change({"name": "a", "same": 1}, {"name": "b", "same": 1}) == "name: a → b"
    assert audit_page.change(None, {"permissions": {"create_rules": True, "x": False}}) == "permissions: create rules"
    assert audit_page.change({"is_active": True}, {"is_active": False}) == "is active: yes → no"
    hours = {"start_time": "22:00", "days": [6, 7]}
    assert audit_page.change(None, {"schedule": hours}) == "schedule: start time 22:00, days 6 7"
    assert audit_page.change(None, {"steps": [{"after_minutes": 5}]}) == "steps: after minutes 5"
    assert audit_page.change(None, {"cost": None, "note": "", "kind": "failure"}) == "kind: failure"
    local = Local.at(datetime(2026, 1, 5, 8, 0, tzinfo=UTC), "Asia/Ho_Chi_Minh")
    assert audit_page.change(None, {"began_at": "2026-01-04T20:00:00+00:00"}, local).startswith("began at: 5 Jan 2026 03:00")
    assert "&lt;script&gt;" in audit_page.change(None, {"name": "<script>"})


def test_accounts_of_the_same_mail_are_found_in_each_factory(pages: Pages) -> None:
    db, north, south = pages.plants.installation.db, pages.plants.north, pages.plants.south
    assert [factory.slug for factory in factories_of(db, north.person.email)] == ["north"]
    with tenant_session(db, south.person.factory_id, write=True) as session:
        session.get_one(User, south.person.user_id).email = north.person.email
    assert [factory.slug for factory in factories_of(db, north.person.email.upper())] == ["north", "south"]
    said = words(pages.open(north, "more"))
    assert f'href="/session/login?factory={south.person.factory_id}"' in said
