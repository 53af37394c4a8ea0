"""Runs pages without a browser, as the person of one factory or of the other."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import dashboards
from dashboards import cache, resources
from dashboards.session import COOKIE
from tests.dashboards.person import DESK, PHONE, Person
from tests.fixtures.two_plants import Plant, TwoPlants
from tests.fixtures.web_server import WebServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = Path(dashboards.__file__).parent / "app.py"


class Pages:
    """Opens pages of an installation. AppTest goes round the web server's guard, so this also shows what pages do by themselves."""

    def __init__(self, plants: TwoPlants, patch: pytest.MonkeyPatch) -> None:
        self.plants, self._patch = plants, patch
        resources.install(plants.installation)
        # What a page says must not hang on how busy the machine is; patience itself is tested in test_parts.
        patch.setattr(cache, "PATIENCE_S", 60.0)
        # A page becomes the main module and stays it; a process that a later test spawns would run it once more.
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def open(self, plant: Plant | None, view: str = "overview", **query: str) -> AppTest:
        """That page as the plant's person; None: as nobody."""
        cookies = {COOKIE: self.plants.token(plant)} if plant else {}
        self._patch.setattr(ContextProxy, "cookies", cookies)
        # Without a browser Streamlit would make one up that the audit trail cannot write down.
        self._patch.setattr(ContextProxy, "ip_address", "127.0.0.1")
        app = AppTest.from_file(str(SCRIPT), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"views/{view}.py")
        return app.run()

    def forget(self) -> None:
        """What pages remember of the last seconds: the test's clock stands still, theirs does not."""
        for plant in (self.plants.north, self.plants.south, self.plants.empty):
            cache.forget(plant.person.factory_id)


@pytest.fixture
def pages(two_plants: TwoPlants, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    """Pages over two factories that the test may change."""
    yield Pages(two_plants, monkeypatch)
    resources._installed.clear()


@pytest.fixture
def seen_pages(seen_plants: TwoPlants, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    """Pages over two factories that other tests look at too."""
    yield Pages(seen_plants, monkeypatch)
    resources._installed.clear()


def words(app: AppTest) -> str:
    """All that the page says, HTML included; fails when part of it failed."""
    assert not app.exception, app.exception[0].stack_trace
    return "\n".join(block.value for block in app.get("html"))


@pytest.fixture
def person(chromium: "Browser", web_server: WebServer) -> Iterator[Person]:
    """At a desk; after the test no request has left this machine."""
    context = chromium.new_context(viewport=DESK)
    found = Person(context, web_server)
    yield found
    context.close()
    assert found.hosts <= {"127.0.0.1", "data"}


@pytest.fixture
def walker(chromium: "Browser", web_server: WebServer) -> Iterator[Person]:
    """With a phone."""
    context = chromium.new_context(viewport=PHONE, has_touch=True)
    yield Person(context, web_server)
    context.close()
