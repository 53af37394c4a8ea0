"""Writes `docs/reference/metrics.md` from what the processes count. `make docs` runs it; a test holds the page to it."""

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from factoryops.health import FIGURES
from factoryops.web_figures import WebFigures
from ingest.figures import IngestFigures, LoaderFigures
from pipelines.signs import TickFigures
from rules.figures import EvaluatorFigures, OutboxFigures
from warehouse.metrics import PROCESS

REPOSITORY = Path(__file__).resolve().parent.parent
METRICS_PAGE = REPOSITORY / "docs" / "reference" / "metrics.md"
HEADING = """\
# Metrics

`GET /metrics` of a web process has all of these, in Prometheus' text format: its own (label `process="web"`), and what all other
processes tell the database every 5 seconds: `ingester`, `loader`, `code` (evaluator, outbox and sensors run there), `evaluator` where rules
have processes of their own, `daemon`, `dagster` (its UI). `factoryops_process_...` is told by each of them. Sums over all factories;
nothing about any one of them. Rules for Prometheus and a dashboard for Grafana that use them lie in `deploy/prometheus` and
`deploy/grafana`. This page is written by `make docs`.

| metric | type | what it says |
|---|---|---|
"""


def own_metrics() -> list[tuple[str, str, str]]:
    """Name, type and meaning of what a web process works out itself."""
    up = ("factoryops_dependency_up", "gauge", "1 while the part named by the label `dependency` is well, else 0")
    return [up, *((f"factoryops_{name}", "gauge", meaning) for name, meaning in sorted(FIGURES.items()))]


def told_metrics() -> list[tuple[str, str, str]]:
    """The same of what processes count, with the names that Prometheus shows: counters end in `_total`."""
    registries: list[CollectorRegistry] = [
        IngestFigures().registry,
        LoaderFigures().registry,
        EvaluatorFigures().registry,
        OutboxFigures().registry,
        TickFigures().registry,
        WebFigures().registry,
    ]
    of_each = [(f"{name}_total" if kind == "counter" else name, kind, meaning) for name, (kind, meaning) in PROCESS.items()]
    return of_each + [
        (f"{metric.name}_total" if metric.type == "counter" else metric.name, metric.type, metric.documentation)
        for registry in registries
        for metric in registry.collect()
    ]


def metrics_page() -> str:
    """Return the text of `docs/reference/metrics.md`."""
    return HEADING + "".join(f"| `{name}` | {kind} | {meaning} |\n" for name, kind, meaning in [*own_metrics(), *told_metrics()])


def main() -> int:
    """Write the page."""
    METRICS_PAGE.write_text(metrics_page(), encoding="utf-8")
    print(f"wrote {METRICS_PAGE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
