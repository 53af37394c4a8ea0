"""`factoryops dagster code|daemon|webserver`: one of Dagster's processes alone, for installations where each runs in its own container."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from factoryops import dagster_home
from warehouse.errors import InvalidInputError
from warehouse.settings import Settings, child_environment


def command(settings: Settings, kind: str, listen_host: str) -> list[str]:
    """Its command line. Raises InvalidInputError for a kind that there is not."""
    folder = settings.home / "dagster"
    options = dagster_home.arguments(folder, listen_host, code_port=settings.dagster_code_port, web_port=settings.dagster_port)
    if kind not in options:
        raise InvalidInputError(f"Dagster has no process {kind!r}: there are {', '.join(options)}", path="kind")
    return [sys.executable, "-m", "pipelines.process", kind, *options[kind]]


def run(
    settings: Settings, kind: str, listen_host: str, become: Callable[[str, list[str], dict[str, str]], NoReturn] = os.execve
) -> NoReturn:
    """Writes Dagster's folder and becomes the process, so that signals reach it."""
    line = command(settings, kind, listen_host)
    folder = dagster_home.write(settings, settings.dagster_code_port)
    # The same settings, wherever they came from: what lies in files for this process lies there for that one, too.
    become(line[0], line, child_environment(**dagster_home.environment(folder), PYTHONUNBUFFERED="1"))
