"""The pages of rules, the wall, and what they tell of alerts, without a browser."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from dashboards import alarm, rule_state
from rules.as_code import export_rules
from tests.dashboards.conftest import Pages, words
from tests.fixtures.two_plants import Plant
from warehouse.models.alerting import Alert, Rule
from warehouse.models.people import User
from warehouse.tenancy import tenant_session
from warehouse.visits import visit_of

pytestmark = pytest.mark.slow


def rules_of(pages: Pages, plant: Plant) -> list[Rule]:
    with tenant_session(pages.plants.installation.db, plant.person.factory_id) as session:
        return list(session.scalars(select(Rule).order_by(Rule.id)))


def become(pages: Pages, plant: Plant, role: str, *permissions: str) -> None:
    with tenant_session(pages.plants.installation.db, plant.person.factory_id, write=True) as session:
        user = session.get_one(User, plant.person.user_id)
        user.role, user.permissions = role, dict.fromkeys(permissions, True)


@pytest.fixture
def maker(pages: Pages) -> Pages:
    """The person of North may make rules."""
    become(pages, pages.plants.north, "admin", "create_rules")
    return pages


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def test_rules_are_listed_with_what_they_did(seen_pages: Pages) -> None:
    said = words(seen_pages.open(seen_pages.plants.north, "rules"))
    assert "NOR overheat" in said
    assert "Spindle temperature is above 80 °C" in said
    assert "2 alerts" in said
    assert "1 active" in said
    assert "any machine" in said


def test_searching_rules_for_nothing_that_exists_says_so(seen_pages: Pages) -> None:
    app = seen_pages.open(seen_pages.plants.north, "rules")
    said = words(app.text_input(key="rules-q").set_value("no such").run())
    assert "No rule matches" in said
    assert "No rule matches" in words(seen_pages.open(seen_pages.plants.north, "rules", state="off"))


def test_who_may_not_make_rules_reads_them(pages: Pages) -> None:
    plant = pages.plants.north
    become(pages, plant, "viewer")
    (rule,) = rules_of(pages, plant)
    app = pages.open(plant, "rules")
    assert "NOR overheat" in words(app)
    assert list(app.toggle) == []
    app = pages.open(plant, "rule", id=str(rule.id))
    assert "for <em>any machine</em> when spindle temperature <b>is above 80 °C</b>" in words(app)
    assert list(app.button) == []
    assert "Looking only" in words(pages.open(plant, "rule", new="1"))
    assert "Looking only" in words(pages.open(plant, "rules", tab="templates"))


def test_a_rule_is_switched_off_and_on_in_the_list(maker: Pages) -> None:
    plant = maker.plants.north
    (rule,) = rules_of(maker, plant)
    app = maker.open(plant, "rules")
    app.toggle(key=f"switch-rule-{rule.id}").set_value(False).run()
    assert rules_of(maker, plant)[0].is_active is False
    assert "is-off" in words(app.run())
    app.toggle(key=f"switch-rule-{rule.id}").set_value(True).run()
    assert rules_of(maker, plant)[0].is_active is True


def test_a_factory_without_rules_is_offered_ready_made_ones(pages: Pages) -> None:
    become(pages, pages.plants.empty, "admin", "create_rules")
    said = words(pages.open(pages.plants.empty, "rules"))
    assert "No rules yet" in said
    assert said.count('class="nav offer"') == 10


def test_a_ready_made_rule_is_adapted_tried_and_saved(maker: Pages) -> None:
    plant = maker.plants.north
    app = maker.open(plant, "rule", template="spindle-overheat")
    assert "stays above 80 °C for 5 min" in words(app)
    draft = next(iter(app.session_state[rule_state.DRAFTS].values()))
    leaf = draft.tree.root.children[0].id
    app.text_input(key=f"{leaf}-threshold").set_value("eighty").run()
    assert "“eighty” is no number" in words(app)
    assert app.button(key="save-rule").disabled
    app.text_input(key=f"{leaf}-threshold").set_value("75").run()
    assert "stays above 75 °C for 5 min" in words(app)
    press(app, "trial-template=spindle-overheat-try")
    assert 'data-trial="3"' in words(app)  # each of the three machines crossed 75 °C for more than 5 minutes
    press(app, "save-rule")
    saved = rules_of(maker, plant)[-1]
    assert (saved.name, saved.severity, saved.conditions["when"]["threshold"]) == ("Spindle overheat", "critical", 75)
    assert "Spindle overheat" in words(maker.open(plant, "rule", id=str(saved.id)))


def test_a_nested_rule_is_built_from_nothing(maker: Pages) -> None:
    plant = maker.plants.north
    app = maker.open(plant, "rule", new="1")
    tree = next(iter(app.session_state[rule_state.DRAFTS].values())).tree
    root, first = tree.root.id, tree.root.children[0].id
    app.selectbox(key=f"{first}-parameter").set_value("spindle_temp").run()
    app.text_input(key=f"{first}-threshold").set_value("80").run()
    press(app, f"{root}-addg")
    group = next(iter(app.session_state[rule_state.DRAFTS].values())).tree.root.children[1]
    press(app, f"{group.id}-add")
    inner = next(iter(app.session_state[rule_state.DRAFTS].values())).tree.root.children[1].children
    for leaf, parameter in zip(inner, ("power", "vibration"), strict=True):
        app.selectbox(key=f"{leaf.id}-parameter").set_value(parameter).run()
        app.text_input(key=f"{leaf.id}-threshold").set_value("2").run()
    name = next(box for box in app.text_input if box.label == "Name")
    name.set_value("Nested").run()
    assert "(power <b>is above 2 W</b> or vibration <b>is above 2 mm/s</b>)" in words(app)
    press(app, "save-rule")
    saved = rules_of(maker, plant)[-1]
    hot = {"parameter": "spindle_temp", "operator": "gt", "threshold": 80}
    either = [{"parameter": key, "operator": "gt", "threshold": 2} for key in ("power", "vibration")]
    assert saved.conditions == {"operator": "AND", "conditions": [hot, {"operator": "OR", "conditions": either}]}


def test_warnings_stand_beside_what_is_typed(maker: Pages) -> None:
    app = maker.open(maker.plants.north, "rule", template="filter-clogged")
    assert "differential_pressure" in words(app)
    assert "no machine of this rule has a parameter" in words(app).lower()


def test_a_rule_changed_by_somebody_else_meanwhile_is_not_overwritten_silently(maker: Pages) -> None:
    plant, inst = maker.plants.north, maker.plants.installation
    (rule,) = rules_of(maker, plant)
    app = maker.open(plant, "rule", id=str(rule.id))
    next(box for box in app.text_input if box.label == "Not again for, in minutes").set_value("30").run()
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        row = session.get_one(Rule, rule.id)
        row.severity, row.updated_at = "low", row.updated_at + timedelta(seconds=1)
    assert "Somebody changed this rule after you opened it" in words(app.run())
    assert app.button(key="save-rule").label == "Save over theirs"


def test_versions_tell_who_changed_what_and_lead_back(maker: Pages) -> None:
    plant = maker.plants.north
    (rule,) = rules_of(maker, plant)
    for minutes in ("30", "45"):
        app = maker.open(plant, "rule", id=str(rule.id))
        next(box for box in app.text_input if box.label == "Not again for, in minutes").set_value(minutes).run()
        press(app, "save-rule")
    app = maker.open(plant, "rule", id=str(rule.id), tab="versions")
    said = words(app)
    assert "Chief of North" in said
    assert "<dt>Not again for</dt><dd><s>15 min</s> 30 min</dd>" in said
    assert "<dt>Not again for</dt><dd><s>30 min</s> 45 min</dd>" in said
    press(app, "back-1")
    assert "at most once every <em>30 min</em>" in words(app).lower()
    press(app, "save-rule")
    assert rules_of(maker, plant)[0].cooldown_minutes == 30


def test_rules_are_deleted_only_after_a_second_word(maker: Pages) -> None:
    plant = maker.plants.north
    (rule,) = rules_of(maker, plant)
    press(maker.open(plant, "rule", id=str(rule.id)), "delete-rule-really")
    assert rules_of(maker, plant) == []


def test_rules_that_are_not_there_have_a_page_that_says_so(seen_pages: Pages) -> None:
    for asked in ("999999", "x", "9" * 40, "-1"):
        assert "There is no such rule here" in words(seen_pages.open(seen_pages.plants.north, "rule", id=asked))
    assert "There is no such rule here" in words(seen_pages.open(seen_pages.plants.north, "rule", template="no-such"))


def test_the_export_is_what_the_command_gives(maker: Pages) -> None:
    app = maker.open(maker.plants.north, "rules", tab="files")
    assert not app.exception
    assert "NOR overheat" in export_rules(maker.plants.installation.db, maker.plants.north.person.factory_id)


def test_several_alerts_are_acknowledged_at_once(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        old = session.get_one(Alert, plant.alerts[0])
        session.add(Alert(rule_id=old.rule_id, device_id=plant.devices["NOR-02"], severity="high", triggered_at=inst.clock.now()))
    app = pages.open(plant, "alerts")
    app.toggle(key="alerts-several").set_value(True).run()
    app.checkbox(key="bulk-all-0").set_value(True).run()
    assert app.button(key="bulk-acknowledge").label == "Acknowledge 2"
    press(app, "bulk-acknowledge")
    with tenant_session(inst.db, plant.person.factory_id) as session:
        active = session.scalars(select(Alert).where(Alert.resolved_at.is_(None))).all()
    assert {a.acknowledged_by for a in active} == {plant.person.user_id}


def test_a_new_critical_alert_is_announced_on_every_page_and_its_sound_is_remembered(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    app = pages.open(plant, "alerts", tab="messages")
    app.toggle(key="wants-sound").set_value(True).run()
    seen = visit_of(inst.db, plant.person.factory_id, plant.person.user_id)
    assert seen is not None
    assert seen.wants_sound
    app = pages.open(plant, "machines")
    assert 'data-alarm="0"' in words(app)
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        old = session.get_one(Alert, plant.alerts[0])
        fresh = Alert(rule_id=old.rule_id, device_id=plant.devices["NOR-02"], severity="critical", triggered_at=inst.clock.now())
        session.add(fresh)
        session.flush()
        number = fresh.id
    pages.forget()
    said = words(app.run())
    assert f'data-alarm="{number}"' in said
    assert "New critical alert: NOR-02 NOR overheat" in said
    assert [toast.value for toast in app.toast] == ["**NOR\\-02** NOR overheat"]
    assert alarm.KNOWN in app.session_state


def test_the_overview_tells_what_changed_since_the_last_visit(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    assert "The last 24 hours" in words(pages.open(plant))
    pages.plants.clock.advance(timedelta(hours=2))  # type: ignore[attr-defined]  # a ManualClock
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        old = session.get_one(Alert, plant.alerts[0])
        now = inst.clock.now()
        session.add(Alert(rule_id=old.rule_id, device_id=plant.devices["NOR-02"], severity="high", triggered_at=now, created_at=now))
    pages.forget()
    said = words(pages.open(plant))
    assert "Since your last visit" in said
    assert "1 new alert<small>1 high" in said
    assert "machines went silent" in said


def test_the_wall_shows_each_turn_without_anything_personal(seen_pages: Pages) -> None:
    said = {
        turn: words(seen_pages.open(seen_pages.plants.north, "wall", only=turn)) for turn in ("overview", "alerts", "machines", "energy")
    }
    assert "Plant power today" in said["overview"]
    assert "1 active alert, worst first" in said["alerts"]
    assert "NOR-02" in said["machines"]
    assert "Yesterday by now" in said["energy"]
    for text in said.values():
        assert 'class="top on-wall"' in text
        assert "since your last visit" not in text.lower()
        assert "Sign out" not in text


def test_a_wall_is_nobodys_visit(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    pages.open(plant, "wall")
    assert visit_of(inst.db, plant.person.factory_id, plant.person.user_id) is None
