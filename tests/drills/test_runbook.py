"""The runbook has a section for each drill, and each drill a test; each section says what is seen and what is to be done."""

import re

import pytest

from tests.drills.drills import DRILLS
from tests.helpers import REPOSITORY

RUNBOOK = (REPOSITORY / "docs" / "operations" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([a-z0-9-]+)`.*?\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def test_runbook_and_drills_have_the_same_names() -> None:
    assert list(SECTIONS) == list(DRILLS)


@pytest.mark.parametrize("name", DRILLS)
def test_each_section_says_what_is_seen_what_is_done_and_where_it_is_practised(name: str) -> None:
    section = SECTIONS[name]
    for part in ("**Seen**", "**Expected**", "**Do**"):
        assert part in section
    for test in DRILLS[name]:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (REPOSITORY / file).read_text(encoding="utf-8")
        assert test in section


def test_metrics_and_alerts_that_it_names_exist() -> None:
    rules = (REPOSITORY / "deploy" / "prometheus" / "factoryops.rules.yaml").read_text(encoding="utf-8")
    metrics = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"alert: {name}" in rules for name in re.findall(r"FactoryOps[A-Z]\w+", RUNBOOK))
    assert all(f"`{name}`" in metrics for name in re.findall(r"factoryops_\w+", RUNBOOK))
