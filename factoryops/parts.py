"""Which processes make up an installation on one machine, in which order they start, and when each counts as working."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from factoryops import dagster_home, probes
from factoryops.supervisor import Part
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.settings import Settings

PYTHON: Final = (sys.executable, "-m")
# Its own heartbeat, and our code loaded: without either no alert is raised.
DAEMON_IS_WELL: Final = """{
  instance { daemonHealth { daemonStatus(daemonType: "SENSOR") { healthy } } }
  workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } }
}"""


@dataclass(frozen=True)
class Ports:
    """Where everything listens at this start."""

    web: int
    dagster: int
    code_server: int
    mqtt: int


def dagster_parts(settings: Settings, ports: Ports) -> list[list[Part]]:
    """The code server; then daemon and webserver, which need it. Each is a process that dies alone and is started again alone.

    They are told to stop together: the daemon waits for ticks in flight, which end as soon as the code server knows.
    """
    folder = settings.home / "dagster"
    arguments = dagster_home.arguments(folder, "127.0.0.1", code_port=ports.code_server, web_port=ports.dagster)

    def part(name: str, kind: str, is_ready: probes.Probe) -> Part:
        return Part(
            name,
            (*PYTHON, "pipelines.process", kind, *arguments[kind]),
            is_ready,
            environment=dagster_home.environment(folder),
            stops_with="dagster",
            stop_within_s=4,
        )

    return [
        # Code is loaded before the port is bound.
        [part("code", "code", probes.listens(ports.code_server))],
        [
            part(
                "dagster",
                "webserver",
                probes.page_answers(ports.dagster, "/server_info"),
            ),
            part(
                "daemon",
                "daemon",
                probes.graphql_says(ports.dagster, DAEMON_IS_WELL, daemon_is_well),
            ),
        ],
    ]


def stages(settings: Settings, found: Ports, *, demo: bool) -> list[list[Part]]:
    """Everything in the order of its start: who needs another is started after it, and stopped before it."""
    broker = [] if settings.mqtt_broker_host else [[_ours("broker", "broker", probes.listens(found.mqtt))]]
    db, now = Database(settings.operational_url), SystemClock().now()
    moving = [
        _ours("ingester", "ingest", probes.gives_signs(db, "ingester", now), stops_with="moving"),
        _ours("loader", "load", probes.gives_signs(db, "loader", now), stops_with="moving"),
    ]
    [code], dagster = dagster_parts(settings, found)
    web = _ours("web", "web", probes.page_answers(found.web, "/health", settings.web_host))
    simulator = [[_ours("simulator", "simulate", probes.at_once)]] if demo else []
    return [*broker, [*moving, code], [*dagster, web], *simulator]


def _ours(name: str, command: str, is_ready: probes.Probe, *, stops_with: str = "") -> Part:
    return Part(name, (*PYTHON, "factoryops", command), is_ready, stops_with=stops_with, stop_within_s=3)


def daemon_is_well(data: Any) -> bool:
    """Whether the answer to DAEMON_IS_WELL says that sensors tick and our code is loaded."""
    entries = data["workspaceOrError"]["locationEntries"]
    loaded = bool(entries) and all(entry["locationOrLoadError"]["__typename"] == "RepositoryLocation" for entry in entries)
    return loaded and data["instance"]["daemonHealth"]["daemonStatus"]["healthy"] is True


def working_folder() -> Path:
    """Where the processes run: where `.env` was looked for, so that they read the same."""
    return Path.cwd()
