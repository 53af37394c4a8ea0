"""GET /health and GET /metrics: how each part is doing, for supervisors, load balancers and Prometheus."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import structlog
from anyio import to_thread
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from factoryops.sign_in_page import product_version
from factoryops.web_figures import WebFigures
from warehouse.errors import FactoryOpsError
from warehouse.heartbeat import heartbeats
from warehouse.installation import Installation
from warehouse.metrics import families, process_samples, samples
from warehouse.queries.system import Backlog, SystemFigures, loader_backlog, system_figures

LOADER_SHARD: Final = "main"
WEB: Final = "web"
# Batches come every few milliseconds and are passed on within a second or two: this much is a fault, not a busy moment.
WAITING_TOO_LONG_S: Final = 30.0
ANSWER_WITHIN_S: Final = 5.0
FIGURES: Final = {
    "landing_position": "Number of the newest landed batch",
    "landing_log_batches": "Batches that the landing log holds",
    "landing_log_bytes": "Size of the landing log",
    "landing_log_oldest_s": "Age of the oldest batch in the landing log",
    "loader_waiting_batches": "Landed batches that are not in the lake yet",
    "loader_waiting_s": "For how long the oldest of them has waited",
    "evaluator_waiting_s": "For how long the oldest batch that no rule has seen has waited",
    "newest_message_age_s": "Time since a message was last landed",
    "notifications_pending": "Notifications that wait to be sent",
    "notifications_failed": "Notifications that were given up",
    "active_alerts": "Alerts that are active now, over all factories",
}
"""What /health and /metrics tell of the whole installation; `_s` are seconds."""
log = structlog.get_logger()


@dataclass
class HealthReport:
    """What was found. `dependencies` says `ok` or, in words, what is wrong."""

    dependencies: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    metrics: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    """What processes without a port of their own count, by process."""
    is_serving: bool = True
    """False when nothing can be shown at all: the operational database is away."""

    @property
    def status(self) -> str:
        """`healthy`, `degraded` or `unhealthy`."""
        if not self.is_serving:
            return "unhealthy"
        return "healthy" if all(state == "ok" for state in self.dependencies.values()) else "degraded"


def examine(installation: Installation) -> HealthReport:
    """Looks at every part; never raises because one of them is away."""
    report = HealthReport()
    now = installation.clock.now()
    try:
        figures, beats = system_figures(installation.db, now), heartbeats(installation.db)
    except SQLAlchemyError as problem:
        log.warning("health_database_away", problem=str(problem))
        report.is_serving = False
        report.dependencies["database"] = "cannot be reached"
        return report
    report.dependencies["database"] = "ok"
    quiet_s = installation.settings.offline_after_minutes * 60
    report.dependencies["ingest"] = _ingest(figures, quiet_s)
    for name, backlog in sorted(figures.consumers.items()):
        report.dependencies[name] = _backlog(backlog)
        report.figures[f"{name}_waiting_s"] = backlog.waiting_s
    report.dependencies["notifications"] = _notifications(figures)
    try:
        loader = loader_backlog(installation.db, installation.lake, LOADER_SHARD, now)
    except FactoryOpsError as problem:
        log.warning("health_lake_away", problem=problem.message)
        report.dependencies["lake"] = "cannot be reached; ingest and alerts go on"
    else:
        report.dependencies["lake"] = "ok"
        report.dependencies["loader"] = _backlog(loader)
        report.figures |= {"loader_waiting_s": loader.waiting_s, "loader_waiting_batches": loader.waiting_batches}
    for beat in beats:
        # What a process says of itself, unless its work already shows that it does not get on.
        if report.dependencies.get(beat.name, "ok") == "ok":
            report.dependencies[beat.name] = beat.state(now)
    report.metrics = [(beat.name, beat.metrics) for beat in beats]
    report.figures |= {
        "landing_position": figures.head,
        "landing_log_batches": figures.log.batches,
        "landing_log_bytes": figures.log.bytes,
        "landing_log_oldest_s": figures.log_oldest_s,
        "notifications_pending": figures.notifications_pending,
        "notifications_failed": figures.notifications_failed,
        "active_alerts": figures.active_alerts,
    }
    if figures.newest_message_age_s is not None:
        report.figures["newest_message_age_s"] = figures.newest_message_age_s
    return report


class SystemRoutes:
    """The two routes, over one installation."""

    def __init__(self, installation: Installation, web: WebFigures | None = None) -> None:
        self.installation = installation
        self.registry = CollectorRegistry()
        self.registry.register(_InstallationCollector(installation, web or WebFigures()))

    def routes(self) -> list[Route]:
        """What to put before Streamlit's own routes."""
        return [Route("/health", self.health, methods=["GET"]), Route("/metrics", self.metrics, methods=["GET"])]

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """200 while pages can be shown, also degraded ones; 503 when the operational database is away."""
        report: HealthReport | None = None
        with anyio.move_on_after(ANSWER_WITHIN_S):
            report = await to_thread.run_sync(examine, self.installation, abandon_on_cancel=True)
        if report is None:
            report = HealthReport({"database": f"did not answer within {ANSWER_WITHIN_S:g} s"}, is_serving=False)
        body: dict[str, Any] = {
            "status": report.status,
            "service": "factoryops",
            "version": product_version(),
            "dependencies": report.dependencies,
            "figures": {name: round(value, 3) for name, value in report.figures.items()},
        }
        return JSONResponse(body, 200 if report.is_serving else 503, headers={"cache-control": "no-store"})

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """Prometheus text format: sums over all factories, nothing about any one of them."""
        text = await to_thread.run_sync(generate_latest, self.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)


class _InstallationCollector(Collector):
    def __init__(self, installation: Installation, web: WebFigures) -> None:
        self._installation, self._web = installation, web

    def describe(self) -> list[Metric]:
        return []  # nothing is asked for until somebody scrapes

    def collect(self) -> Iterator[Metric]:
        report = examine(self._installation)
        up = GaugeMetricFamily("factoryops_dependency_up", "1 while the part is well", labels=["dependency"])
        for name, state in report.dependencies.items():
            up.add_metric([name], float(state == "ok"))
        yield up
        for name, value in report.figures.items():
            yield GaugeMetricFamily(f"factoryops_{name}", FIGURES.get(name, name.replace("_", " ")), value=value)
        own = [*process_samples(), *samples(self._web.registry)]
        yield from families([*report.metrics, (WEB, own)])


def _ingest(figures: SystemFigures, quiet_s: float) -> str:
    age = figures.newest_message_age_s
    if age is None:
        return "ok" if figures.head == 0 else "no message for a long time"
    return "ok" if age <= quiet_s else f"no message for {age / 60:.0f} min"


def _backlog(backlog: Backlog) -> str:
    if backlog.waiting_s <= WAITING_TOO_LONG_S:
        return "ok"
    return f"{backlog.waiting_batches} batches wait, the oldest for {backlog.waiting_s:.0f} s"


def _notifications(figures: SystemFigures) -> str:
    if figures.notifications_waiting_s > WAITING_TOO_LONG_S * 2:
        return f"{figures.notifications_pending} wait, the oldest for {figures.notifications_waiting_s:.0f} s"
    return "ok"
