"""The installation that the environment names, opened once a process and only when first used.

For sensors: one that asks Dagster for the resource makes it open its three databases and read its migrations at each tick, 0.25 s of CPU.
"""

from functools import cache

from warehouse.installation import Installation
from warehouse.logs import configure_logs
from warehouse.settings import Settings


@cache
def installation() -> Installation:
    """The installation that the environment names."""
    settings = Settings.load()
    configure_logs(settings)
    return Installation.open(settings)
