"""What assets, ops and sensors are given: the installation, opened once a process and only when first used."""

import logging
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


@dg.logger(description="Problems of runs on standard error; all else is in the Dagster UI.")
def quiet_console(_context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own console logger writes a dozen lines a run."""
    logger = logging.getLogger("factoryops.run")
    logger.setLevel(logging.WARNING)
    return logger


LOGGERS = {"console": quiet_console}
RESOURCES = {"installation": dg.ResourceDefinition(lambda _context: installation(), description="Settings, both storages, the clock.")}
"""By the names under which they are asked for."""
