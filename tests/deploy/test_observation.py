"""Rules for Prometheus and the dashboard for Grafana ask for metrics that are exported, and for no others."""

import json
import re

import yaml
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from factoryops.web_figures import Counting, WebFigures
from pipelines.signs import TickFigures
from scripts.document_metrics import METRICS_PAGE, metrics_page, own_metrics, told_metrics
from tests.deploy.files import DEPLOY
from tests.helpers import wait_until
from warehouse.db import Database
from warehouse.heartbeat import heartbeats
from warehouse.metrics import PROCESS, process_samples
from warehouse.signs import giving_signs

NAMES = {name for name, _, _ in [*own_metrics(), *told_metrics()]}
BUCKETS = {f"{name}_bucket" for name, kind, _ in told_metrics() if kind == "histogram"}
RULES = yaml.safe_load((DEPLOY / "prometheus" / "factoryops.rules.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "factoryops.json").read_text())


def asked(expression: str) -> set[str]:
    return set(re.findall(r"factoryops_\w+", expression))


def test_each_rule_asks_for_what_there_is_and_says_what_to_do() -> None:
    for rule in RULES:
        assert asked(rule["expr"]) <= NAMES | BUCKETS, rule["alert"]
        assert rule["annotations"]["what_to_do"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_each_panel_asks_for_what_there_is() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert asked(target["expr"]), panel["title"]
            assert asked(target["expr"]) <= NAMES | BUCKETS, panel["title"]


def test_panels_do_not_lie_on_each_other() -> None:
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    assert METRICS_PAGE.read_text() == metrics_page(), "run `make docs`"


def test_every_process_tells_something_of_its_own_and_of_itself() -> None:
    kinds = {name.split("_")[1] for name, _, _ in told_metrics()}
    assert kinds == {"ingest", "loader", "evaluator", "outbox", "sensor", "web", "process"}


def test_what_a_process_tells_of_itself_is_true() -> None:
    found = {metric["name"]: metric["samples"][0][2] for metric in process_samples()}
    assert set(found) == set(PROCESS)
    assert 1e7 < found["factoryops_process_memory_bytes"] < 1e11
    assert found["factoryops_process_threads"] >= 1


def test_a_web_process_counts_requests_and_open_pages() -> None:
    figures = WebFigures()
    counted = Counting(Starlette(routes=[Route("/api/there", lambda _: PlainTextResponse("yes"))]), figures)
    client = TestClient(counted)
    client.get("/api/there")
    client.get("/nowhere")
    value = figures.registry.get_sample_value
    assert value("factoryops_web_requests_total", {"kind": "api", "status": "2xx"}) == 1
    assert value("factoryops_web_requests_total", {"kind": "page", "status": "4xx"}) == 1
    assert value("factoryops_web_request_seconds_count", {"kind": "api"}) == 1


def test_signs_of_life_are_told_while_a_process_works_and_taken_back_at_its_end(sqlite_database: Database) -> None:
    registry = TickFigures().registry
    with giving_signs(sqlite_database, "code", [registry]):
        wait_until(lambda: [beat.name for beat in heartbeats(sqlite_database)] == ["code"], 60, "the first sign")
        [beat] = heartbeats(sqlite_database)
    assert {metric["name"] for metric in beat.metrics} >= {"factoryops_process_memory_bytes", "factoryops_sensor_ticks"}
    assert heartbeats(sqlite_database) == []
