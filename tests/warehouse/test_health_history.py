"""The health score over time."""

from datetime import timedelta

from tests.warehouse.frames import START, at
from tests.warehouse.queries.conftest import NOW, OFFLINE_AFTER, plant
from warehouse.db import Database
from warehouse.health_history import health_trend, record_scores
from warehouse.lake import Lake

__all__ = ["plant"]


def test_scores_are_kept_by_the_hour_for_factory_and_machines(plant: Database, lake: Lake) -> None:
    record_scores(plant, lake, NOW, OFFLINE_AFTER)
    record_scores(plant, lake, NOW + timedelta(minutes=1), OFFLINE_AFTER)
    whole = health_trend(lake, 1, START, at(86_400))
    assert whole.rows() == [(at(3600), 92.0, '{"critical": 5, "high": 2, "offline": 1}')]
    assert health_trend(lake, 1, START, at(86_400), device_id=1)["score"].to_list() == [100.0 - 40 - 8]
    assert health_trend(lake, 1, START, at(86_400), device_id=2).is_empty(), "nobody knows how a silent machine is"
    assert health_trend(lake, 2, START, at(86_400), device_id=1).is_empty()
