"""`factoryops status`: one screen that says how every part is doing, and goes on saying it."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from factoryops import probes
from factoryops.health import HealthReport, examine
from factoryops.parts import DAEMON_IS_WELL, daemon_is_well
from warehouse import heartbeat
from warehouse.installation import Installation
from warehouse.settings import Settings

EVERY_S: Final = 2.0
MARKS: Final = {"healthy": "[green]✓ healthy[/]", "degraded": "[yellow]! degraded[/]", "unhealthy": "[bold red]✗ unhealthy[/]"}
SILENT_S: Final = 60.0
"""Longer than a restart of the database: a process that waits for it must not be killed for it."""
TOLD: Final = {
    "newest_message_age_s": ("newest message", "{:.1f} s ago"),
    "loader_waiting_s": ("history behind by", "{:.1f} s"),
    "landing_log_batches": ("batches in the landing log", "{:,.0f}"),
    "landing_log_bytes": ("size of the landing log", "{:,.0f} bytes"),
    "active_alerts": ("active alerts", "{:,.0f}"),
    "notifications_pending": ("notifications waiting", "{:,.0f}"),
    "notifications_failed": ("notifications given up", "{:,.0f}"),
}


def screen(report: HealthReport, messages_per_s: float | None = None) -> Group:
    """What is shown of a report; pure."""
    parts = Table("", "Part", "State", box=None, pad_edge=False)
    for name, state in report.dependencies.items():
        parts.add_row("[green]✓[/]" if state == "ok" else "[yellow]![/]", name, Text(state))
    figures = Table("Figure", "", box=None, pad_edge=False, show_header=False)
    if messages_per_s is not None:
        figures.add_row("messages taken in", f"{messages_per_s:,.1f} a second")
    for name, (label, form) in TOLD.items():
        if name in report.figures:
            figures.add_row(label, form.format(report.figures[name]))
    return Group(Text.from_markup(MARKS[report.status]), "", parts, "", figures)


def messages_taken(report: HealthReport) -> float | None:
    """How many messages all ingesters that run took in since they started; None when none runs."""
    found = [
        value
        for _, metrics in report.metrics
        for metric in metrics
        for name, _, value in metric["samples"]
        if name == "factoryops_ingest_messages_total"
    ]
    return sum(found) if found else None


class Rate:
    """Messages a second, from counts that processes tell every few seconds only."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self._per_s: float | None = None

    def of(self, taken: float | None, now_s: float) -> float | None:
        """The rate up to now; None until two different counts were seen, or the time between two of them has passed without one."""
        if taken is None:
            self._last = self._per_s = None
        elif self._last is None:
            self._last = (taken, now_s)
        elif taken != self._last[0] or now_s - self._last[1] > 2 * heartbeat.EVERY.total_seconds():
            self._per_s = max(0.0, taken - self._last[0]) / (now_s - self._last[1])
            self._last = (taken, now_s)
        return self._per_s


def watch(settings: Settings, *, once: bool, sleep: Callable[[float], None] = time.sleep) -> int:
    """Shows the screen every 2 s until Ctrl-C, or once; 0 when all is well at the end."""
    console, installation = Console(), Installation.open(settings)
    try:
        report = examine(installation)
        if once or not console.is_terminal:
            console.print(screen(report))
            return int(report.status != "healthy")
        _live(console, installation, report, sleep)
    finally:
        installation.close()
    return 0


def _live(console: Console, installation: Installation, report: HealthReport, sleep: Callable[[float], None]) -> None:
    rate = Rate()
    with Live(screen(report), console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen(report, rate.of(messages_taken(report), time.monotonic())), refresh=True)
            try:
                sleep(EVERY_S)
            except KeyboardInterrupt:
                return
            report = examine(installation)


def part_is_well(settings: Settings, part: str) -> str:
    """`ok`, or in words what is wrong with a process that has no port of its own: for the health checks of containers.

    Only its own signs of life count: the broker or the lake may be away without a restart helping.
    """
    if part == "daemon":
        well = probes.graphql_says(settings.dagster_port, DAEMON_IS_WELL, daemon_is_well, settings.dagster_host)()
        return "ok" if well else "Dagster's daemon is not well, or its web server does not answer"
    installation = Installation.open(settings)
    try:
        now = installation.clock.now()
        found = [beat for beat in heartbeat.heartbeats(installation.db) if beat.name == part]
    except DBAPIError:
        return "ok"  # it waits for the database as we do; a restart would mend nothing
    finally:
        installation.close()
    if not found:
        return f"{part} has given no sign of life"
    silent_s = (now - found[0].at).total_seconds()
    return "ok" if silent_s <= SILENT_S else f"no sign of life for {silent_s:.0f} s"
