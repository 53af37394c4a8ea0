"""The page Machines: found, added, imported, approved; and a machine's own tabs."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from dashboards import kpis, machine_history, machine_import, machine_list, machine_new, machine_side, people_access
from dashboards.machine_list import Filters
from tests.dashboards.conftest import Pages, words
from tests.fixtures.two_plants import Plant
from warehouse.kpi_order import kpi_order
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import AuditEvent, User
from warehouse.models.streams import DeadLetter
from warehouse.queries.devices import DeviceRow
from warehouse.queries.live import LiveValue
from warehouse.tenancy import system_session, tenant_session
from warehouse.upkeep_by_hand import events_of

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def press(app: AppTest, label: str) -> str:
    """Presses the one button of that label and tells what the page says then."""
    next(button for button in app.button if button.label == label).click().run()
    return words(app)  # fails when the change failed


def become(pages: Pages, role: str) -> None:
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id, write=True) as session:
        session.get_one(User, pages.plants.north.person.user_id).role = role


def device(pages: Pages, key: str, plant: Plant | None = None) -> Device | None:
    with tenant_session(pages.plants.installation.db, (plant or pages.plants.north).person.factory_id) as session:
        return session.scalar(select(Device).where(Device.device_key == key))


def actions(pages: Pages) -> list[str]:
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id) as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.position)))


def letters(pages: Pages, plant: Plant, key: str, slug: str, number: int = 3) -> None:
    """Messages of a machine that nobody registered."""
    now = pages.plants.installation.clock.now()
    with system_session(pages.plants.installation.db, "set up a test", write=True) as session:
        for minute in range(number):
            at = now - timedelta(minutes=minute)
            payload = json.dumps({"timestamp": at.isoformat(), "metrics": {"power": 900.0 + minute, "torque": 2.5}}).encode()
            session.add(
                DeadLetter(
                    factory_id=plant.person.factory_id, device_key=key, reason="unknown_device", detail="",
                    topic=f"factories/{slug}/devices/{key}/telemetry", payload=payload, payload_size=len(payload), received_at=at,
                )
            )  # fmt: skip


def row(key: str, **changed: object) -> DeviceRow:
    has = DeviceRow(1, key, key, "CNC mill", "", "", "Hall", "running", NOW, 90, 1000.0, dict.fromkeys(("critical", "high"), 0))
    return replace(has, **changed)


def test_machines_are_filtered_by_health_and_put_in_the_wanted_order() -> None:
    rows = [row("B", health=40, power_w=None), row("A", health=65, region=""), row("C", health=None), row("D", power_w=5000.0)]
    found = {level: [m.device_key for m in machine_list.matching(rows, Filters(health=level))] for level in machine_list.HEALTH}
    assert found == {"bad": ["B"], "poor": ["A"], "good": ["D"]}
    order = {by: "".join(m.device_key for m in machine_list.ordered(rows, by)) for by in ("worst", "name", "area", "power")}
    assert order == {"worst": "BACD", "name": "ABCD", "area": "BCDA", "power": "DACB"}
    assert set(machine_list.SORTS) - {"worst"} == set(machine_list._ORDER)


def test_values_stand_as_people_ordered_them_and_new_ones_behind() -> None:
    values = [LiveValue(key, key, "", True, NOW, NOW, 1.0, None, False) for key in "abcd"]
    assert [v.parameter_key for v in kpis.in_order(values, ["c", "gone", "a"])] == ["c", "a", "b", "d"]


def test_own_dates_are_whole_days_of_the_factory() -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    first, last = datetime(2026, 1, 3).date(), datetime(2026, 1, 4).date()  # noqa: DTZ001  # days on a calendar
    assert machine_history.own_dates((first, last), zone) == (datetime(2026, 1, 2, 17, tzinfo=UTC), datetime(2026, 1, 4, 17, tzinfo=UTC))
    assert machine_history.own_dates((first,), zone) == (datetime(2026, 1, 2, 17, tzinfo=UTC), datetime(2026, 1, 3, 17, tzinfo=UTC))
    assert machine_history.own_dates((), zone) is None


def test_what_an_unknown_machine_sends_is_read_where_it_can_be() -> None:
    assert machine_new.parameters_in(b'{"metrics": {"power": 1, "torque": 2}}') == ["power", "torque"]
    for broken in (b"\xff", b"[]", b"{}", b'{"metrics": 3}'):
        assert machine_new.parameters_in(broken) == []


def test_reasons_of_a_risk_are_read_in_both_forms_the_weightiest_first() -> None:
    told = json.dumps([{"feature": "age", "weight": 0.1}, {"sentence": "Vibration up 38 %", "share": -0.4}, "service is due", 3])
    assert machine_side.reasons_of(told) == [("Vibration up 38 %", -0.4), ("age", 0.1), ("service is due", 0.0)]
    assert machine_side.reasons_of("not json") == []


def test_an_exported_list_cannot_make_a_spreadsheet_run_something() -> None:
    text = machine_import.as_csv([dict.fromkeys(machine_import.COLUMNS) | {"device_key": "A", "name": "=HYPERLINK(1)"}])
    assert text.splitlines()[1].startswith("A,'=HYPERLINK(1)")


def test_a_browser_is_told_in_two_words() -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
    assert people_access.browser(agent) == "Chrome, Windows"
    assert people_access.browser(None) == "Unknown browser"


@pytest.mark.slow
def test_a_machine_is_added_and_its_key_shown_once(pages: Pages) -> None:
    app = pages.open(pages.plants.north, "machines", tab="add")
    app.text_input(key="add-key").set_value("NOR-09")
    app.text_input(key="add-name").set_value("New mill")
    app.number_input(key="add-weight").set_value(2.0)
    assert "the only time that the key can be seen" in press(app, "Add the machine")
    assert any("factories/north/devices/NOR-09/telemetry" in block.value for block in app.code)
    added = device(pages, "NOR-09")
    assert (added.name, added.importance, bool(added.api_key)) == ("New mill", 2.0, True)
    assert "the only time" not in press(app, "I have put it away")
    app.text_input(key="add-key").set_value("NOR-09")
    press(app, "Add the machine")
    assert "there is a machine 'NOR-09' already" in app.error[0].value
    assert device(pages, "NOR-09", pages.plants.south) is None


@pytest.mark.slow
def test_a_list_is_looked_at_before_it_is_taken_over(pages: Pages) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Machine", "Kind", "Hall"])
    for cells in (["NOR-01", "CNC mill", "Hall 9"], ["NOR-20", "Press", "Hall 2"], ["bad key", "Press", ""]):
        book.active.append(cells)
    content = io.BytesIO()
    book.save(content)
    app = pages.open(pages.plants.north, "machines", tab="import")
    said = words(app.file_uploader(key="import-file").upload("list.xlsx", content.getvalue(), "application/x").run())
    assert "New<b>1</b>" in said
    assert "Changed<b>1</b>" in said
    assert "<b>Row 3</b> the key &#x27;bad key&#x27; is none" in said
    assert device(pages, "NOR-20") is None
    press(app, "Take over 2 machines")
    assert (device(pages, "NOR-20").kind, device(pages, "NOR-01").region) == ("Press", "Hall 9")
    assert "device.import" in actions(pages)


@pytest.mark.slow
def test_an_unknown_machine_is_approved_with_what_it_sent_or_discarded(pages: Pages) -> None:
    letters(pages, pages.plants.north, "NOR-77", "north")
    letters(pages, pages.plants.north, "NOR-88", "north", 1)
    letters(pages, pages.plants.south, "SOU-77", "south")
    app = pages.open(pages.plants.north, "machines", tab="unknown")
    said = words(app)
    assert "SOU" not in said
    assert "Sends power, torque" in said
    assert "3 messages kept" in said
    app.text_input(key="approve-name-NOR-77").set_value("Found mill")
    press(app, "Add and take in 3 messages")
    assert device(pages, "NOR-77").name == "Found mill"
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id) as session:
        found = select(DeviceParameter.parameter_key).where(DeviceParameter.device_id == device(pages, "NOR-77").id)
        assert set(session.scalars(found)) == {"power", "torque"}
    app.button(key="yes-discard-NOR-88").click().run()
    assert "No unknown machine is sending" in words(app)
    with system_session(pages.plants.installation.db, "look") as session:
        assert session.scalars(select(DeadLetter.device_key).where(DeadLetter.replayed_at.is_(None)).distinct()).all() == ["SOU-77"]


@pytest.mark.slow
def test_a_viewer_finds_machines_and_is_offered_nothing_to_change(pages: Pages) -> None:
    become(pages, "viewer")
    for query in ({}, {"tab": "add"}, {"tab": "import"}, {"tab": "unknown"}, {"tab": "off"}):
        app = pages.open(pages.plants.north, "machines", **query)
        assert [button.label for button in app.button] == []
    for tab in ("values", "upkeep", "refused", "setup"):
        app = pages.open(pages.plants.north, "machine", device="NOR-01", tab=tab)
        assert [button.label for button in app.button] == []
    assert "You can look at this" in words(app)


@pytest.mark.slow
def test_a_machine_is_described_given_a_new_key_switched_off_and_on(pages: Pages) -> None:
    app = pages.open(pages.plants.north, "machine", device="NOR-01", tab="setup")
    had = device(pages, "NOR-01")
    app.text_input(key=f"describe-{had.id}-name").set_value("Mill by the door")
    press(app, "Save")
    app.button(key=f"yes-rotate-{had.id}").click().run()
    assert "the only time that the key can be seen" in words(app)
    press(app, "I have put it away")
    app.button(key=f"yes-revoke-{had.id}").click().run()
    assert "none: it cannot send" in words(app)
    app.button(key=f"yes-deactivate-{had.id}").click().run()
    assert "Switched off" in words(app)
    assert "NOR-01" not in words(pages.open(pages.plants.north, "machines"))
    app = pages.open(pages.plants.north, "machines", tab="off")
    app.button(key=f"on-{had.id}").click().run()
    changed = device(pages, "NOR-01")
    assert (changed.name, changed.is_active, changed.api_key) == ("Mill by the door", True, None)
    done = [action for action in actions(pages) if action.startswith("device.")]
    assert done == ["device.change", "device.key_rotate", "device.key_revoke", "device.deactivate", "device.activate"]


@pytest.mark.slow
def test_values_are_chosen_ordered_and_named_for_all_who_look(pages: Pages) -> None:
    inst, plant = pages.plants.installation, pages.plants.north
    device_id = plant.devices["NOR-01"]
    app = pages.open(plant, "machine", device="NOR-01", tab="values")
    app.multiselect(key=f"kpis-{device_id}").set_value(["vibration", "power"])
    app.button[0].click().run()
    assert kpi_order(inst.db, device_id) == ["vibration", "power"]
    app.selectbox(key=f"rename-{device_id}").set_value("vibration").run()
    app.text_input(key=f"name-{device_id}-vibration").set_value("Shaking")
    app.text_input(key=f"unit-{device_id}-vibration").set_value("in/s")
    app.button[1].click().run()
    said = words(pages.open(plant, "machine", device="NOR-01"))
    assert said.index('data-parameter="vibration"') < said.index('data-parameter="power"')
    assert 'data-parameter="spindle_temp"' not in said
    assert "Shaking" in said
    assert "<u>in/s</u>" in said


@pytest.mark.slow
def test_the_chart_compares_lays_out_and_tells_what_the_machine_did(pages: Pages) -> None:
    plant = pages.plants.north
    app = pages.open(plant, "machine", device="NOR-02")
    said = words(app)
    assert 'data-fact="activity"' in said
    assert "Available<b>" in said
    app.selectbox(key=f"beside-{plant.devices['NOR-02']}").set_value("NOR-01").run()
    assert '<i class="dashed"></i>NOR-01' in words(app)
    app.segmented_control(key="layout").set_value("Two axes").run()
    app.segmented_control(key="span").set_value("Dates").run()
    assert "Nothing measured" not in words(app)
    assert any("a third one and is left out" in caption.value for caption in app.caption)


@pytest.mark.slow
def test_upkeep_is_written_down_and_ended_by_hand(pages: Pages) -> None:
    inst, plant = pages.plants.installation, pages.plants.north
    device_id = plant.devices["NOR-01"]
    app = pages.open(plant, "machine", device="NOR-01", tab="upkeep")
    app.text_input(key=f"event-title-{device_id}").set_value("Belt <changed>")
    app.radio(key=f"event-how-{device_id}").set_value("It goes on")
    assert "Repair: Belt &lt;changed&gt;" in press(app, "Write down")
    pages.plants.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]  # a ManualClock
    press(app, "It is done")
    (event,) = events_of(inst.db, plant.person.factory_id, device_id)
    assert (event.ended_at - event.began_at, event.source) == (timedelta(hours=1), "by hand")
    assert "took 1 h" in words(pages.open(plant, "machine", device="NOR-01"))


@pytest.mark.slow
def test_refused_messages_are_shown_replayed_and_purged(pages: Pages) -> None:
    plant, inst = pages.plants.north, pages.plants.installation
    letters(pages, plant, "NOR-01", "north", 2)  # registered meanwhile
    letters(pages, plant, "NOR-99", "north", 1)
    app = pages.open(plant, "machine", device="NOR-01", tab="refused")
    assert "2 messages" in words(app)
    app.button(key="letters-replay").click().run()
    assert "Nothing was refused" in words(app)
    become(pages, "super_admin")
    app = pages.open(plant, "system", tab="refused")
    assert "NOR-99" in " ".join(block.label for block in app.expander)
    app.button(key="yes-letters-purge").click().run()
    assert "Nothing was refused" in words(app)
    with system_session(inst.db, "look") as session:
        assert session.scalars(select(DeadLetter).where(DeadLetter.replayed_at.is_(None))).all() == []
