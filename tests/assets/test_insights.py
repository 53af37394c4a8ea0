"""What stands out, each night: kept for the page, checked against its own facts."""

import json

import dagster as dg
import pytest

from assets.insights import insights, is_proven
from tests.fixtures.two_plants import TwoPlants
from warehouse.objects import ObjectStore
from warehouse.queries.analytics import insights_path


def test_a_night_keeps_findings_of_its_factory_whose_numbers_are_all_proven(two_plants: TwoPlants) -> None:
    inst = two_plants.installation
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("factories", ["north"])
        done = dg.materialize([insights], resources={"installation": inst}, partition_key="north", instance=instance)
    assert [(check.check_name, check.passed) for check in done.get_asset_check_evaluations()] == [
        ("every_number_is_proven", True), ("every_sentence_links", True)
    ]  # fmt: skip
    kept = json.loads(ObjectStore(inst.settings).read(insights_path(two_plants.north.person.factory_id)))
    assert kept["headline"].startswith("NOR-01 needs attention")
    assert "SOU" not in str(kept)
    (event,) = done.asset_materializations_for_node("insights")
    assert event.metadata["headline"].value == kept["headline"]


@pytest.mark.parametrize(
    ("sentence", "is_true"),
    [
        ("M-01 stood for 2.5 h.", True),
        ("M-01 stood for 2.6 h.", False),
        ("At 5 Jan 11:01 M-01 stood for 3 h, health 60 of 100: “Rule 7”.", True),
        ("M-01 stood for 60 h and 9 h.", False),
    ],
)
def test_a_number_that_no_fact_holds_is_noticed(sentence: str, is_true: bool) -> None:
    assert is_proven({"sentence": sentence, "facts": {"h": 2.5001, "health": 60, "n": 3}, "machines": ["M-01"]}) is is_true
