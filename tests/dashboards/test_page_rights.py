"""Who may open which page: declared with each page, listed in a table, and kept when somebody writes the address by hand."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import dashboards
from dashboards import pages as registry
from dashboards.pages import LEVELS, PAGES, Page, may_open, offered
from tests.dashboards.conftest import Pages, words
from tests.dashboards.page_table import TABLE
from warehouse.access.sessions import Identity
from warehouse.models.people import PERMISSIONS, User
from warehouse.tenancy import tenant_session

VIEWS = {path.stem for path in (Path(dashboards.__file__).parent / "views").glob("*.py")} - {"__init__"}


def somebody(role: str, *permissions: str) -> Identity:
    end = datetime(2026, 1, 6, tzinfo=UTC)
    return Identity(1, 1, "north", "Plant North", "UTC", role, frozenset(permissions), "0" * 64, "x@north.example", "X", end)


def test_every_view_is_a_page_with_an_entry() -> None:
    assert sorted(page.view for page in PAGES) == sorted(VIEWS)


def test_every_page_declares_what_the_table_says() -> None:
    assert {page.view: page.needs for page in PAGES} == TABLE


def test_a_page_cannot_need_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match="needs 'admin'"):
        Page("x", "X", needs="admin")


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (somebody("viewer"), {"look"}),
        (somebody("viewer", *PERMISSIONS), {"look"}),
        (somebody("admin"), {"look", "work"}),
        *((somebody("admin", permission), {"look", "work", permission}) for permission in PERMISSIONS),
        (somebody("super_admin", *PERMISSIONS), set(LEVELS)),
    ],
)
def test_a_person_may_open_what_their_rights_say(who: Identity, may: set[str]) -> None:
    assert {level for level in LEVELS if may_open(who, Page("x", "X", needs=level))} == may


def test_the_side_bar_offers_only_what_the_person_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PAGES", tuple(Page(level, level, needs=level, icon="lock") for level in LEVELS))
    assert [page.view for page in offered(somebody("viewer"))] == ["look"]
    assert len(offered(somebody("super_admin", *PERMISSIONS))) == len(LEVELS)


@pytest.fixture
def closed_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reports page is for those who generate reports."""
    changed = tuple(Page(p.view, p.title, "generate_reports", p.section, p.icon) if p.view == "reports" else p for p in PAGES)
    monkeypatch.setattr(registry, "PAGES", changed)


@pytest.mark.slow
@pytest.mark.usefixtures("closed_reports")
def test_a_page_that_is_opened_without_the_right_says_who_may(pages: Pages) -> None:
    become(pages, "viewer")
    said = words(pages.open(pages.plants.north, "reports"))
    assert "You may not open this page" in said
    assert "who has the permission generate_reports" in said
    assert "Reports of Plant North" not in said
    assert "Reports" not in words(pages.open(pages.plants.north, "more")).partition("feed-row")[2]
    become(pages, "admin", generate_reports=True)
    assert "Reports of Plant North" in words(pages.open(pages.plants.north, "reports"))


@pytest.mark.slow
def test_no_page_opens_without_a_session(seen_pages: Pages) -> None:
    for page in PAGES:
        said = words(seen_pages.open(None, page.view, device="NOR-01"))
        assert "You are signed out" in said
        assert "NOR" not in said


@pytest.mark.slow
def test_pages_that_need_a_right_are_closed_to_viewers(pages: Pages) -> None:
    become(pages, "viewer", **dict.fromkeys(PERMISSIONS, True))
    for page in PAGES:
        if page.needs != "look":
            assert "You may not open this page" in words(pages.open(pages.plants.north, page.view)), page.view


def become(pages: Pages, role: str, **permissions: bool) -> None:
    """Gives the person of North another role."""
    with tenant_session(pages.plants.installation.db, pages.plants.north.person.factory_id, write=True) as session:
        user = session.get_one(User, pages.plants.north.person.user_id)
        user.role, user.permissions = role, permissions
