"""The pages on which things are set up, as a person uses them: a real browser against the real server."""

from collections.abc import Iterator

import pytest

from tests.dashboards.test_browser import STICKS_OUT, Person, person, walker
from tests.fixtures.web_server import WebServer
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

__all__ = ["person", "walker"]


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


@pytest.fixture
def boss(web_server: WebServer) -> Iterator[None]:
    """The person of North runs the factory while the test runs."""
    plant = web_server.plants.north

    def become(role: str) -> None:
        with tenant_session(web_server.plants.installation.db, plant.person.factory_id, write=True) as session:
            session.get_one(User, plant.person.user_id).role = role

    become("super_admin")
    yield
    become("admin")


@pytest.mark.usefixtures("boss")
def test_nothing_of_the_pages_for_setting_up_sticks_out_on_a_phone(walker: Person) -> None:
    walker.sign_in()
    for path in SET_UP:
        walker.go(path)
        walker.page.wait_for_timeout(300)
        assert walker.page.evaluate(STICKS_OUT) == [], path


def test_a_theme_is_chosen_for_this_device_and_stays(person: Person) -> None:
    person.sign_in()
    person.page.click("[data-testid=stSidebarUserContent] [data-theme-choice=Dark]")
    person.page.wait_for_selector(".top h1")
    person.go("/alerts")
    assert person.page.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme") == "dark"
