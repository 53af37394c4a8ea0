"""The dashboards as a person uses them: a real browser against the real server."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from bench import dashboards
from bench.dashboard_viewer import sign_in
from bench.web_process import WebProcess
from dashboards.static_files import STATIC
from ingest.broker import Mosquitto
from ingest.consumer import Ingester
from ingest.device_keys import hash_device_key
from rules.evaluation import Evaluator
from tests.dashboards.person import SLOW_MS, STICKS_OUT, Person
from tests.fixtures.people import PASSWORD
from tests.fixtures.web_server import WebServer
from tests.helpers import free_port, require_program, wait_until
from tests.ingest.conftest import Machine
from warehouse.models.alerting import Alert
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = {
    "/": "Overview",
    "/machines": "Machines",
    "/machine?device=NOR-01": "NOR-01",
    "/alerts": "Alerts",
    "/reports": "Reports",
    "/energy": "Energy",
    "/availability": "Availability",
    "/rules": "Rules",
    "/rule?id=1": "NOR overheat",
    "/more": "More",
}
"""Address and title."""
# A page looks every 1.8 s; the rest is patience with a machine that runs other tests at the same time.
LIVE_MS = 15_000


def measure(server: WebServer, key: str, value: float, *, is_new: bool = False) -> None:
    """What the ingester does when a message of NOR-01 arrives."""
    plant, inst = server.plants.north, server.plants.installation
    now, device_id = inst.clock.now(), plant.devices["NOR-01"]
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        if is_new:
            session.add(DeviceParameter(device_id=device_id, parameter_key=key))
            session.add(LatestValue(device_id=device_id, parameter_key=key, ts=now, value=value, received_at=now))
        else:
            latest = session.get_one(LatestValue, (device_id, key))
            latest.ts, latest.received_at, latest.value = now, now, value
        session.get_one(Device, device_id).last_seen = now


def test_a_deep_link_survives_signing_in_and_values_move_without_reloading(person: Person) -> None:
    person.go("/machine?device=NOR-01")
    assert "/session/login?next=" in person.page.url
    person.sign_in()
    assert person.page.url.endswith("/machine?device=NOR-01")
    person.page.wait_for_selector("[data-parameter=spindle_temp] .val")
    person.page.evaluate("window.same = true")
    measure(person.server, "spindle_temp", 91.5)
    person.page.wait_for_selector("[data-parameter=spindle_temp] .val:has-text('91.5')", timeout=LIVE_MS)
    measure(person.server, "oil_level", 42.0, is_new=True)
    person.page.wait_for_selector("[data-parameter=oil_level] .val:has-text('42.0')", timeout=LIVE_MS)
    assert person.page.evaluate("window.same") is True


def test_links_change_the_page_without_loading_it_anew_and_back_works(person: Person) -> None:
    person.sign_in()
    person.page.evaluate("window.same = true")
    person.page.click(".mrow:has-text('NOR-01')")
    person.page.wait_for_selector(".kpis")
    assert person.page.url.endswith("/machine?device=NOR-01")
    person.page.click(".crumb a")
    person.page.wait_for_selector("h1:has-text('Machines')")
    person.page.click("[data-testid=stSidebarNavLink]:has-text('Alerts')")
    person.page.wait_for_selector("h1:has-text('Alerts')")
    person.page.go_back()
    person.page.wait_for_selector("h1:has-text('Machines')")
    assert person.page.evaluate("window.same") is True


def test_an_alert_is_acknowledged_and_resolved(person: Person) -> None:
    plant, inst = person.server.plants.north, person.server.plants.installation
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        rule_id = session.get_one(Alert, plant.alerts[0]).rule_id
        fresh = Alert(rule_id=rule_id, device_id=plant.devices["NOR-02"], severity="high", triggered_at=inst.clock.now(), message="hot")
        session.add(fresh)
        session.flush()
        alert_id = fresh.id
    person.sign_in()
    person.go(f"/alerts?id={alert_id}")
    person.page.click("button:has-text('Acknowledge')")
    person.page.wait_for_selector("text=Chief of North acknowledged it")
    person.page.click("button:has-text('Comment')")
    person.page.fill("textarea", "Fan is loud")
    person.page.click("button:has-text('Add the comment')")
    person.page.wait_for_selector("text=Chief of North: Fan is loud")
    person.page.click("button:has-text('Resolve')")
    person.page.fill("textarea", "Fan cleaned")
    person.page.click("button:has-text('Resolve this alert')")
    person.page.wait_for_selector("text=Chief of North resolved it: Fan cleaned")
    person.go("/alerts")
    person.page.wait_for_selector(".feed-row")
    assert person.page.locator(f".feed-row[href*='id={alert_id}']").count() == 0


def test_a_filter_of_alerts_is_in_the_address(person: Person) -> None:
    person.sign_in()
    person.go("/alerts")
    person.page.click("[data-testid=stButtonGroup] button:has-text('Low')")
    person.page.wait_for_selector("text=No alert matches")
    assert person.page.url.endswith("?severity=low")
    person.page.click("a:has-text('Clear the filters')")
    person.page.wait_for_selector(".feed-row")


def test_signing_out_ends_every_open_tab(person: Person) -> None:
    person.sign_in()
    other = person.new_page()
    other.goto(person.server.url + "/machines")
    other.wait_for_selector(".mrow")
    person.page.click("[data-testid=stSidebarUserContent] .sign-out")
    person.page.wait_for_url("**/session/login")
    other.bring_to_front()
    other.wait_for_url("**/session/login?next=%2Fmachines", timeout=15_000)
    person.go("/alerts")
    assert "/session/login" in person.page.url


def test_a_wrong_password_says_so(person: Person) -> None:
    person.go("/session/login")
    person.page.select_option("[name=factory]", str(person.server.plants.north.person.factory_id))
    person.page.fill("[name=email]", person.server.plants.north.person.email)
    person.page.fill("[name=password]", "wrong")
    person.page.click("button")
    person.page.wait_for_selector("[role=alert]:has-text('is not right')")
    assert person.page.input_value("[name=email]") == person.server.plants.north.person.email


def test_a_phone_has_its_own_navigation_with_the_way_out_and_nothing_sticks_out(walker: Person) -> None:
    walker.sign_in()
    for path, title in PAGES.items():
        walker.walk(path, f"h1:has-text('{title}')")
        assert walker.page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert walker.page.evaluate(STICKS_OUT) == [], path
    walker.page.click(".tabbar a:has-text('More')")
    walker.page.wait_for_selector("dl.facts")
    walker.page.click(".sign-out.wide")
    walker.page.wait_for_url("**/session/login")


def test_every_test_id_that_the_stylesheet_names_exists(person: Person) -> None:
    named = set(re.findall(r"data-testid=([\w-]+)", (STATIC / "app.css").read_text(encoding="utf-8")))
    assert len(named) > 10
    person.sign_in()
    seen: set[str] = set()
    for path, title in PAGES.items():
        person.walk(path, f"h1:has-text('{title}')")
        seen |= set(person.page.evaluate("[...document.querySelectorAll('[data-testid]')].map(e => e.dataset.testid)"))
    assert named - seen == set()


def test_our_stylesheet_and_fonts_are_in_force(person: Person) -> None:
    person.sign_in()
    assert person.page.title() == "FactoryOps"
    assert person.page.evaluate("document.fonts.check('14px Inter') && [...document.fonts].some(f => f.status === 'loaded')") is True
    width = person.page.evaluate("document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().width")
    assert width == 204


def test_the_health_page_tells_the_state_of_each_part(web_server: WebServer) -> None:
    answer = httpx.get(web_server.url + "/health")
    assert answer.status_code == 200
    body = answer.json()
    assert sorted(body) == ["dependencies", "figures", "service", "status", "version"]
    assert {"database", "lake", "ingest", "loader", "notifications"} <= set(body["dependencies"])
    assert body["dependencies"]["database"] == "ok"


def test_metrics_are_in_prometheus_form_and_name_no_factory(web_server: WebServer) -> None:
    text = httpx.get(web_server.url + "/metrics").text
    assert 'factoryops_dependency_up{dependency="database"} 1.0' in text
    assert not re.search("nor-|north|south", text, re.IGNORECASE)


def test_the_server_gives_away_nothing_without_a_session(web_server: WebServer) -> None:
    for path in ("/", "/machines", "/_stcore/host-config", "/_stcore/health", "/_stcore/metrics", "/_stcore/agent/mcp", "/app/static/x"):
        assert httpx.get(web_server.url + path).status_code == 401, path
    assert httpx.get(web_server.url + "/api/v1/devices").status_code == 401
    assert httpx.get(web_server.url + "/assets/session.js").status_code == 200
    assert httpx.get(web_server.url + "/assets/../app.py").status_code in {401, 404}


def test_pages_may_not_be_framed_and_are_never_answered_from_an_old_copy(person: Person) -> None:
    person.sign_in()
    cookie = "; ".join(f"{c['name']}={c['value']}" for c in person.context.cookies())
    answer = httpx.get(person.server.url + "/machines", headers={"cookie": cookie, "if-none-match": '"x"', "accept": "text/html"})
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"].split("; ")
    assert "/assets/app.css?v=" in answer.text
    assert "etag" not in answer.headers


def test_the_benchmark_of_the_dashboards_sees_every_refresh_of_its_sessions(web_server: WebServer) -> None:
    plant = web_server.plants.north
    cookies = [sign_in(web_server.url, plant.person.factory_id, plant.person.email, PASSWORD) for _ in range(2)]
    web = WebProcess(urlsplit(web_server.url).port or 0, web_server.pid)
    pages, said = {"machine": ("machine", "device=NOR-0{number}")}, list[str]()

    def look() -> dict[str, float]:
        return asyncio.run(dashboards.measure(web, cookies, pages, said.append, load_s={"machine": 2.0}, settles_s=0.0))

    with ThreadPoolExecutor(1) as own:  # Playwright has a loop of its own in this thread
        found = own.submit(look).result(60)
    assert min(found["machine_warm_s"], found["machine_refresh_p95_ms"], found["machine_refreshes_per_s"]) > 0
    assert found["machine_kib_a_refresh"] > 1
    assert found["machine_rss_mib"] > 50
    assert said == ["page machine, warm", "2 sessions on the page machine for 2 s"]


def test_an_open_page_keeps_all_its_parts_while_it_refreshes(person: Person) -> None:
    person.sign_in()
    person.go("/")
    person.page.wait_for_selector(".cards .card")
    person.page.wait_for_timeout(6_000)  # a refresh
    assert person.page.locator(".cards .card").count() == 4
    assert person.page.locator(".mrow").count() == 3
    assert person.page.locator(".bone").count() == 0


@pytest.fixture
def rule_maker(web_server: WebServer) -> Iterator[None]:
    """The person of North may make rules while the test runs."""
    plant = web_server.plants.north

    def may(**permissions: bool) -> None:
        with tenant_session(web_server.plants.installation.db, plant.person.factory_id, write=True) as session:
            session.get_one(User, plant.person.user_id).permissions = permissions

    may(create_rules=True)
    yield
    may()


@pytest.fixture
def machine_of_north(web_server: WebServer) -> Iterator[Machine]:
    """NOR-02 on a real broker, with the ingester behind it."""
    inst, plant, stop = web_server.plants.installation, web_server.plants.north, threading.Event()
    with tenant_session(inst.db, plant.person.factory_id, write=True) as session:
        session.get_one(Device, plant.devices["NOR-02"]).api_key = hash_device_key("key-of-NOR-02")
    settings = inst.settings.model_copy(update={"mqtt_broker_port": free_port()})
    broker = Mosquitto(str(require_program("mosquitto", package="mosquitto")), settings, inst.db).start()
    ingester = Ingester(settings)
    working = threading.Thread(target=ingester.run, args=(stop,))
    working.start()
    machine = Machine(settings.mqtt_broker_port, "north/devices/NOR-02", "key-of-NOR-02")
    wait_until(lambda: machine.client.is_connected() or machine.refused, 15, "the broker answers")
    yield machine
    machine.close()
    stop.set()
    working.join(10)
    broker.stop()


@pytest.mark.broker
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("rule_maker")
def test_a_nested_rule_is_built_tried_saved_fires_on_a_message_and_is_resolved(person: Person, machine_of_north: Machine) -> None:
    inst, page = person.server.plants.installation, person.page
    evaluator = Evaluator(inst.db, app_url=inst.settings.app_url, clock=inst.clock)
    evaluator.step()
    person.sign_in()
    person.go("/rules")
    page.click("a:has-text('New rule')")
    page.wait_for_selector("h1:has-text('New rule')")
    page.get_by_label("Name", exact=True).fill("Hot and loud")
    choose(page, "Parameter", "Spindle temperature")
    page.get_by_label("Limit", exact=True).first.fill("80")
    page.click("[class*=st-key-ghead] button:has-text('Group')")
    choose(page, "Parameter", "Power", 1)  # another test of the module may have made a parameter that comes first
    page.get_by_label("Limit", exact=True).nth(1).fill("900")
    page.wait_for_selector(".sentence:has-text('is above 900')")
    page.locator("[class*=st-key-ghead] button:has-text('Condition')").nth(1).click()
    choose(page, "Parameter", "Vibration", 2)
    page.get_by_label("Limit", exact=True).nth(2).fill("7.1")
    page.wait_for_selector(".sentence:has-text('or vibration is above 7.1 mm/s')")
    page.click("button:has-text('Try it on the past')")
    page.wait_for_selector("[data-trial='3']", timeout=2 * SLOW_MS)
    page.wait_for_selector("[data-testid=stEChartsChart] canvas, .stEChartsChart canvas, canvas")
    page.click("button:has-text('Save the rule')")
    page.wait_for_selector("h1:has-text('Hot and loud')")
    values = {"spindle_temp": 95.0, "vibration": 9.0}
    machine_of_north.publish(json.dumps({"timestamp": inst.clock.now().isoformat(), "metrics": values}).encode())
    wait_until(lambda: evaluator.step().alerts, 15, "the rule fires")
    person.go("/alerts?q=Hot and")
    page.wait_for_selector(".feed-row:has-text('Hot and loud')")
    page.click("button:has-text('Acknowledge')")
    page.wait_for_selector("text=Chief of North acknowledged it")
    page.click("button:has-text('Resolve')")
    page.fill("textarea", "Bearing greased")
    page.click("button:has-text('Resolve this alert')")
    page.wait_for_selector("text=No alert matches")


def choose(page: "Page", label: str, option: str, number: int = 0) -> None:
    """Picks from the `number`th select box with a label."""
    page.get_by_label(label, exact=True).nth(number).click()
    page.keyboard.type(option)
    page.get_by_role("option", name=option, exact=True).click()
