"""Somebody at a screen: a real browser before the real web server."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.fixtures.people import PASSWORD
from tests.fixtures.two_plants import Plant
from tests.fixtures.web_server import WebServer

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SLOW_MS = 60_000

# What reaches past the right edge, unless an ancestor lets it scroll or cuts it.
STICKS_OUT = """() => [...document.querySelectorAll('[data-testid=stMain] *')].filter(e => {
  if (e.getBoundingClientRect().width === 0 || e.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let p = e.parentElement; p; p = p.parentElement) {
    const style = getComputedStyle(p);
    if (style.overflowX !== 'visible' && p.dataset.testid !== 'stMain' && p.getBoundingClientRect().right <= innerWidth + 1) return false;
  }
  return true;
}).map(e => e.outerHTML.slice(0, 120))"""


IS_DRAWN = "[data-testid=stApp][data-test-script-state=notRunning]"
FOLLOW = """path => { history.pushState({}, "", path); window.dispatchEvent(new PopStateEvent("popstate", { state: {} })); }"""


class Person:
    """Somebody at a screen."""

    def __init__(self, context: "BrowserContext", server: WebServer) -> None:
        self.context, self.server = context, server
        self.hosts: set[str] = set()
        self.page = self.new_page()

    def new_page(self) -> "Page":
        page = self.context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or "data"))
        return page

    def go(self, path: str) -> None:
        self.page.goto(self.server.url + path)
        self.page.wait_for_selector(".top h1, form")

    def walk(self, path: str, marker: str) -> None:
        """To another page as a link leads there, without loading anew; until `marker` of that page and all of it is drawn."""
        self.page.evaluate(FOLLOW, path)
        self.page.wait_for_selector(marker)
        self.page.wait_for_selector(IS_DRAWN)
        self.page.wait_for_function("!document.querySelector('.bone')")
        assert self.page.locator("text=This part of the page could not be shown").count() == 0, path

    def sign_in(self, plant: Plant | None = None) -> None:
        plant = plant or self.server.plants.north
        if not self.page.url.startswith(f"{self.server.url}/session/login"):
            self.go("/session/login")
        self.page.select_option("[name=factory]", str(plant.person.factory_id))
        self.page.fill("[name=email]", plant.person.email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("button")
        self.page.wait_for_selector(".top h1")
