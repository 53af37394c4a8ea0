"""What assets, ops and sensors are given: the installation, opened once a process and only when first used."""

from functools import cache

import dagster as dg

from warehouse.installation import Installation
from warehouse.logs import configure_logs
from warehouse.settings import Settings


@cache
def installation() -> Installation:
    """The installation that the environment names."""
    settings = Settings.load()
    configure_logs(settings)
    return Installation.open(settings)


RESOURCES = {"installation": dg.ResourceDefinition(lambda _context: installation(), description="Settings, both storages, the clock.")}
"""By the names under which they are asked for."""
