"""The installation that the pages of this process show. Set once by the web server (or a test) before the first page runs."""

from warehouse.errors import PermanentError
from warehouse.installation import Installation

_installed: list[Installation] = []


class NotInstalledError(PermanentError):
    """A page ran before `install`: the dashboards were started by hand instead of through `factoryops web`."""


def install(installation: Installation) -> None:
    """Makes every page of this process work on `installation`."""
    _installed[:] = [installation]


def installation() -> Installation:
    """The installation to read from. Raises NotInstalledError."""
    if not _installed:
        raise NotInstalledError("Start the dashboards with `factoryops web`: it opens the database and guards the pages.")
    return _installed[0]
