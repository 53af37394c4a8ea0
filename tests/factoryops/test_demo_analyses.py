"""The demo begins with analyses ordered, once, and only with enough history."""

from factoryops.demo_analyses import FIRST, order_first_analyses
from tests.fixtures.two_plants import TwoPlants
from warehouse.jobs import find_job


def test_the_first_factory_gets_every_kind_once(two_plants: TwoPlants) -> None:
    inst, factory_id = two_plants.installation, two_plants.north.person.factory_id
    assert order_first_analyses(inst, 1) == []
    ids = order_first_analyses(inst, 30)
    jobs = [find_job(inst.db, factory_id, job_id) for job_id in ids]
    assert [job.job_type for job in jobs] == [kind for kind, _ in FIRST]
    assert {job.job_type for job in jobs} == {"ai_copilot", "energy_forecast", "failure_prediction", "anomaly"}
    assert all(job.device_ids == sorted(two_plants.north.devices.values()) for job in jobs)
    assert order_first_analyses(inst, 30) == []
