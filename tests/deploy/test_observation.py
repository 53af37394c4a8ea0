"""Rules for Prometheus and the dashboard for Grafana ask for metrics that are exported, and for no others."""

import json
import re

import yaml

from scripts.document_metrics import METRICS_PAGE, metrics_page, own_metrics, told_metrics
from tests.deploy.files import DEPLOY

NAMES = {name for name, _, _ in [*own_metrics(), *told_metrics()]}
BUCKETS = {f"{name}_bucket" for name, kind, _ in told_metrics() if kind == "histogram"}
RULES = yaml.safe_load((DEPLOY / "prometheus" / "factoryops.rules.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "factoryops.json").read_text())


def asked(expression: str) -> set[str]:
    return set(re.findall(r"factoryops_\w+", expression))


def test_each_rule_asks_for_what_there_is_and_says_what_to_do() -> None:
    for rule in RULES:
        assert asked(rule["expr"]) <= NAMES, rule["alert"]
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
