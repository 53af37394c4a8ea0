"""Which pages there are, where they stand, and who may open each. A view without an entry here is not a page at all."""

from dataclasses import dataclass
from typing import Final

from warehouse.access.sessions import Identity
from warehouse.models.people import PERMISSIONS

LEVELS: Final = {
    "look": "whoever signed in",
    "work": "everybody but viewers",
    **{permission: f"who has the permission {permission}" for permission in PERMISSIONS},
    "super_admin": "super admins",
}
"""Who may open a page; the same words as for the routes of the API (tests/api/route_table.py)."""


@dataclass(frozen=True)
class Page:
    """One page: `dashboards/views/<view>.py` at `/<view>`; the first one is the front page.

    `needs` is one of LEVELS: a page must say it, and is then neither offered to others nor drawn for them. It guards looking; what
    a page changes checks rights by itself, as the API does.
    """

    view: str
    title: str
    needs: str
    section: str = "Monitor"
    """The heading in the side bar."""
    icon: str = ""
    """Material symbol; without one the page is reached by links alone."""

    def __post_init__(self) -> None:
        if self.needs not in LEVELS:
            message = f"the page {self.view} needs {self.needs!r}, which is none of {', '.join(LEVELS)}"
            raise ValueError(message)

    @property
    def url(self) -> str:
        """Its address, from the root."""
        return "/" if self == PAGES[0] else f"/{self.view}"


# A new page: a line here, and one in tests/dashboards/page_table.py.
PAGES: Final = (
    Page("overview", "Overview", needs="look", icon="dashboard"),
    Page("machines", "Machines", needs="look", icon="precision_manufacturing"),
    Page("alerts", "Alerts", needs="look", icon="notifications"),
    Page("energy", "Energy", needs="look", icon="bolt"),
    Page("availability", "Availability", needs="look", icon="timelapse"),
    Page("analytics", "Analytics", needs="look", icon="insights"),
    Page("reports", "Reports", needs="look", icon="description"),
    Page("rules", "Rules", needs="look", section="Set up", icon="rule"),
    Page("machine", "Machine", needs="look"),
    Page("rule", "Rule", needs="look"),
    Page("wall", "Wall", needs="look"),
    Page("settings", "Factory settings", needs="work", section="Set up", icon="factory"),
    Page("users", "Users", needs="super_admin", section="Set up", icon="group"),
    Page("system", "System", needs="work", section="Set up", icon="monitor_heart"),
    Page("account", "Your account", needs="look", section="You", icon="account_circle"),
    Page("more", "More", needs="look"),
)


def may_open(who: Identity, page: Page) -> bool:
    """Whether the person may see the page."""
    if page.needs == "look":
        return True
    if page.needs == "work":
        return who.may_work
    if page.needs == "super_admin":
        return who.role == "super_admin"
    return who.may_work and who.may(page.needs)


def offered(who: Identity) -> list[Page]:
    """The pages in the person's side bar."""
    return [page for page in PAGES if page.icon and may_open(who, page)]
