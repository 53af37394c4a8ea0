"""What people set up and take away, as they do it: a real browser against the real server. All tests share one desk, to be quick."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select

from assets.reporting.run import save
from ingest.registration import devices_of
from tests.dashboards.person import DESK, STICKS_OUT, Person
from tests.fixtures.mail import SmtpServer, smtp_running
from tests.fixtures.web_server import WebServer
from warehouse import reports
from warehouse.models.devices import Device
from warehouse.models.people import User, UserSession
from warehouse.tenancy import tenant_session

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LIST = "Machine,Name,Type,Area\nNOR-11,Press 11,Press,North hall\nNOR-12,Press 12,Press,North hall\n"
MADE = b"%PDF-1.7 a report of North"
HAND = """([x, y]) => {
  for (let e = document.elementFromPoint(x, y); e; e = e.parentElement) if (e.style.cursor === 'pointer') return true;
  return false;
}"""
SET_UP = (
    "/machines?tab=add",
    "/machines?tab=import",
    "/machines?tab=unknown",
    "/machine?device=NOR-01&tab=values",
    "/machine?device=NOR-01&tab=upkeep",
    "/machine?device=NOR-01&tab=refused",
    "/machine?device=NOR-01&tab=setup",
    "/users",
    "/users?tab=invite",
    "/users?tab=audit",
    "/settings",
    "/settings?tab=shifts",
    "/settings?tab=energy",
    "/settings?tab=escalation",
    "/settings?tab=windows",
    "/system",
    "/system?tab=refused",
)
FACTS = {"run": "RPT-NORTH-1", "snapshot_id": 1, "data_sha256": "0" * 64}


@pytest.fixture(scope="module")
def mail() -> Iterator[SmtpServer]:
    """Where the web server's mails go."""
    with smtp_running() as server:
        yield server


@pytest.fixture(scope="module")
def web_environment(mail: SmtpServer) -> dict[str, str]:
    """The web server mails through it."""
    return {"SMTP_HOST": mail.host, "SMTP_PORT": str(mail.port), "SMTP_STARTTLS": "false"}


@pytest.fixture(scope="module")
def desk(chromium: "Browser", web_server: WebServer) -> Iterator[Person]:
    """The chief of North, who runs the factory, signed in."""
    become(web_server, "super_admin")
    context = chromium.new_context(viewport=DESK)
    found = Person(context, web_server)
    found.sign_in()
    yield found
    context.close()
    assert found.hosts <= {"127.0.0.1", "data"}


def become(server: WebServer, role: str) -> None:
    """What the chief of North is from now on."""
    plant = server.plants.north
    with tenant_session(server.plants.installation.db, plant.person.factory_id, write=True) as session:
        session.get_one(User, plant.person.user_id).role = role


def machines(server: WebServer) -> dict[str, Device]:
    """Those of North, by key."""
    found = devices_of(server.plants.installation.db, server.plants.north.person.factory_id)
    return {device.device_key: device for device in found}


def test_a_machine_is_added_and_its_key_is_shown_once(desk: Person) -> None:
    desk.go("/machines?tab=add")
    desk.page.get_by_label("Key in its topic", exact=True).fill("NOR-10")
    desk.page.get_by_label("Name", exact=True).fill("Lathe 10")
    desk.page.click("button:has-text('Add the machine')")
    desk.page.wait_for_selector("h2:has-text('Key of NOR-10')")
    assert machines(desk.server)["NOR-10"].name == "Lathe 10"
    desk.page.click("button:has-text('I have put it away')")
    desk.page.wait_for_selector("h2:has-text('Key of NOR-10')", state="detached")
    desk.page.click(".tabs a:has-text('All machines')")
    desk.page.wait_for_selector(".mrow:has-text('NOR-10')")


def test_a_list_of_machines_is_uploaded_looked_at_and_taken_over_and_comes_back_as_a_file(desk: Person) -> None:
    desk.go("/machines?tab=import")
    desk.page.set_input_files("input[type=file]", {"name": "list.csv", "mimeType": "text/csv", "buffer": LIST.encode()})
    desk.page.click("button:has-text('Take over 2 machines')")
    desk.page.wait_for_selector("text=2 machines taken over")
    assert {"NOR-11", "NOR-12"} <= machines(desk.server).keys()
    desk.go("/machines?tab=import")
    with desk.page.expect_download() as answer:
        desk.page.click("button:has-text('All machines as a list')")
    assert answer.value.suggested_filename == "machines-north.csv"
    assert "NOR-12,Press 12,Press" in Path(answer.value.path()).read_text(encoding="utf-8")


def test_a_report_is_downloaded_as_it_was_made(desk: Person) -> None:
    inst, who = desk.server.plants.installation, desk.server.plants.north.person
    now = inst.clock.now()
    asked = reports.NewReport(now - timedelta(days=7), now, ["pdf"], title="Week of North")
    report = reports.order(inst.db, inst.clock, who.factory_id, who.user_id, asked)
    save(inst, report, {"pdf": MADE}, "report.made", {}, FACTS)
    desk.go(f"/reports?report={report.id}")
    with desk.page.expect_download() as answer:
        desk.page.click("a[href*='/download?kind=pdf']")
    assert Path(answer.value.path()).read_bytes() == MADE


def test_the_chart_of_a_machine_is_taken_away_as_a_picture_and_as_a_list(desk: Person) -> None:
    desk.go("/machine?device=NOR-01")
    chart = desk.page.locator(".st-key-card-history canvas").first
    chart.wait_for()
    with desk.page.expect_download() as picture:
        press_camera(desk)
    assert picture.value.suggested_filename == "factoryops.png"
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    with desk.page.expect_download() as answer:
        desk.page.click("button:has-text('Chart as CSV')")
    lines = Path(answer.value.path()).read_text(encoding="utf-8").splitlines()
    assert sorted(lines[0].split(",")) == ["power", "spindle_temp", "time", "vibration"]
    assert len(lines) > 50


def press_camera(desk: Person) -> None:
    """It is drawn into the chart: where the pointer becomes a hand."""
    box = desk.page.locator(".st-key-card-history canvas").first.bounding_box()
    assert box is not None
    for y in range(4, 36, 6):
        for x in range(8, 48, 6):
            desk.page.mouse.move(box["x"] + box["width"] - x, box["y"] + y)
            if desk.page.evaluate(HAND, [box["x"] + box["width"] - x, box["y"] + y]):
                desk.page.mouse.down()
                desk.page.mouse.up()
                return
    pytest.fail("the chart has no button that saves it")


def test_somebody_is_invited_by_mail_chooses_a_password_and_sees_only_what_they_may(
    desk: Person, mail: SmtpServer, chromium: "Browser"
) -> None:
    desk.go("/users?tab=invite")
    desk.page.get_by_label("Role", exact=True).click()
    desk.page.get_by_role("option", name="Viewer").click()
    desk.page.get_by_label("E-mail", exact=True).fill("linh@north.example")
    desk.page.click("button:has-text('Send the invitation')")
    desk.page.wait_for_selector("text=The invitation is on its way to linh@north.example")
    (sent,) = mail.mails
    found = re.search(r"/session/invitation#\S+", str(sent.message.get_content()))
    assert found is not None
    context = chromium.new_context(viewport=DESK)
    linh = Person(context, desk.server)
    linh.page.goto(desk.server.url + found.group())
    linh.page.fill("[name=name]", "Linh")
    linh.page.fill("[name=password]", "granite-otter-51-lamp")
    linh.page.click("button")
    linh.page.wait_for_selector(".top h1:has-text('Overview')")
    linh.page.wait_for_selector(".who:has-text('Linh, viewer')")
    assert linh.page.locator("[data-testid=stSidebarNavLink]:has-text('Users')").count() == 0
    linh.go("/users")
    linh.page.wait_for_selector("text=You may not open this page")
    linh.go("/machines?tab=add")
    linh.page.wait_for_selector(".mrow")
    assert linh.page.locator("button:has-text('Add the machine')").count() == 0
    alert = desk.server.plants.north.alerts[0]
    linh.go(f"/alerts?id={alert}")
    linh.page.wait_for_selector("text=NOR overheat")
    assert linh.page.locator("button:has-text('Acknowledge')").count() == 0
    context.close()


def test_addresses_of_another_factory_lead_nowhere(desk: Person) -> None:
    desk.go("/machine?device=SOU-01")
    desk.page.wait_for_selector("text=There is no such machine here")
    desk.go(f"/alerts?id={desk.server.plants.south.alerts[0]}")
    desk.page.wait_for_selector(".feed-row:has-text('NOR-01')")
    assert desk.page.locator("text=SOU").count() == 0
    cookie = "; ".join(f"{c['name']}={c['value']}" for c in desk.context.cookies())
    foreign = desk.server.plants.south.devices["SOU-01"]
    assert httpx.get(f"{desk.server.url}/api/v1/devices/{foreign}", headers={"cookie": cookie}).status_code == 404


def test_a_session_that_expires_leads_to_the_sign_in_and_back_to_the_page(desk: Person) -> None:
    inst, who = desk.server.plants.installation, desk.server.plants.north.person
    desk.go("/alerts")
    with tenant_session(inst.db, who.factory_id, write=True) as session:
        for row in session.scalars(select(UserSession).where(UserSession.user_id == who.user_id)):
            row.expires_at = inst.clock.now() - timedelta(seconds=1)
    desk.page.wait_for_url("**/session/login?next=%2Falerts", timeout=60_000)
    desk.sign_in()
    assert desk.page.url.endswith("/alerts")


@pytest.mark.usefixtures("desk")
def test_nothing_of_the_pages_for_setting_up_sticks_out_on_a_phone(walker: Person) -> None:
    walker.sign_in()
    for path in SET_UP:
        walker.walk(path, f".tabs a.on[href='{path}']")
        assert walker.page.evaluate(STICKS_OUT) == [], path


def test_a_theme_is_chosen_for_this_device_and_stays(person: Person) -> None:
    person.sign_in()
    person.page.click("[data-testid=stSidebarUserContent] [data-theme-choice=Dark]")
    person.page.wait_for_selector(".top h1")
    person.go("/alerts")
    assert person.page.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme") == "dark"
