"""What analyses find is kept once, replaced by its window or job, and read within one factory."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.analysis_tables import replace_job, replace_window, schema_of
from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.maintenance import expire_scores
from warehouse.queries import analytics
from warehouse.settings import Settings

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WINDOW = (BEGIN, BEGIN + DAY)


@pytest.fixture
def lake(settings: Settings) -> Iterator[Lake]:
    with closing(Lake(settings)) as opened:
        yield opened


def anomaly(device_id: int, hour: float, score: float = 2.0, **more: object) -> dict[str, object]:
    begin = BEGIN + hour * HOUR
    why = json.dumps([{"parameter": "power", "share": 0.2}, {"parameter": "vibration", "share": 0.8}])
    found = {"device_id": device_id, "started_at": begin, "ended_at": begin + HOUR, "score": score, "contributions": why}
    return found | {"sentence": "Vibration was high.", "model_version": "v1", "job_id": "j1"} | more


def forecast(device_id: int | None, made_at: datetime, hours: int, kwh: float) -> pl.DataFrame:
    rows = [
        {"device_id": device_id, "made_at": made_at, "ts": made_at + number * HOUR, "interval_s": 3600.0, "kwh": kwh, "model": "ridge"}
        for number in range(hours)
    ]
    schema = {name: kind for name, kind in schema_of("energy_forecasts").items() if name in rows[0]}
    return pl.DataFrame(rows, schema=schema)


def risks(device_id: int, moment: datetime, probability: float, horizon_h: float = 24.0) -> pl.DataFrame:
    return pl.DataFrame({"device_id": [device_id], "ts": [moment], "horizon_h": [horizon_h], "probability": [probability]})


def test_a_window_analysed_again_replaces_its_anomalies_and_leaves_other_machines_and_times(lake: Lake) -> None:
    first = pl.DataFrame([anomaly(1, 2), anomaly(1, 30), anomaly(2, 3)])
    assert replace_window(lake, 1, "anomalies", [1, 2], (BEGIN, BEGIN + 2 * DAY), first) == 3
    replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame([anomaly(1, 5), anomaly(1, 8)]))
    found = analytics.anomalies(lake, 1, BEGIN, BEGIN + 3 * DAY)
    hours = [(d, (t - BEGIN) / HOUR) for d, t in found.select("device_id", "started_at").iter_rows()]
    assert hours == [(1, 30.0), (1, 8.0), (1, 5.0), (2, 3.0)]


def test_rows_beside_the_window_or_the_machines_are_refused_and_nothing_is_lost(lake: Lake) -> None:
    replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame([anomaly(1, 2)]))
    for wrong in (anomaly(1, 24), anomaly(2, 2)):
        with pytest.raises(InvalidInputError):
            replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame([wrong]))
    assert analytics.anomalies(lake, 1, *WINDOW).height == 1


def test_nothing_found_takes_away_what_was_found_before(lake: Lake) -> None:
    replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame([anomaly(1, 2)]))
    replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame(schema=schema_of("anomalies")))
    assert analytics.anomalies(lake, 1, *WINDOW).is_empty()


def test_one_factory_neither_sees_nor_replaces_what_another_has(lake: Lake) -> None:
    replace_window(lake, 1, "anomalies", [1], WINDOW, pl.DataFrame([anomaly(1, 2)]))
    replace_job(lake, 1, "energy_forecasts", "j1", forecast(None, BEGIN, 2, 5.0))
    replace_job(lake, 1, "failure_risks", "j1", risks(1, BEGIN, 0.5))
    replace_window(lake, 2, "anomalies", [1], WINDOW, pl.DataFrame(schema=schema_of("anomalies")))
    replace_job(lake, 2, "energy_forecasts", "j1", forecast(None, BEGIN, 1, 9.0))
    assert analytics.anomalies(lake, 1, *WINDOW).height == 1
    assert analytics.anomalies(lake, 2, *WINDOW).is_empty()
    assert analytics.latest_forecast(lake, 1, BEGIN)["kwh"].to_list() == [5.0, 5.0]
    assert analytics.latest_risks(lake, 2, BEGIN).is_empty()


def test_a_job_that_runs_again_replaces_only_its_own_rows(lake: Lake) -> None:
    replace_job(lake, 1, "failure_risks", "j1", risks(1, BEGIN, 0.2))
    replace_job(lake, 1, "failure_risks", "j2", risks(1, BEGIN + HOUR, 0.4))
    replace_job(lake, 1, "failure_risks", "j1", risks(1, BEGIN, 0.3))
    history = analytics.risk_history(lake, 1, 1, 24.0, *WINDOW)
    assert history["probability"].to_list() == [0.3, 0.4]
    with pytest.raises(InvalidInputError):
        replace_job(lake, 1, "failure_risks", "", risks(1, BEGIN, 0.3))


def test_the_newest_risk_of_each_machine_and_horizon_counts_the_most_probable_first(lake: Lake) -> None:
    told = [risks(1, BEGIN, 0.9), risks(1, BEGIN + HOUR, 0.1), risks(2, BEGIN, 0.5), risks(2, BEGIN, 0.7, 168.0)]
    replace_job(lake, 1, "failure_risks", "j1", pl.concat(told))
    found = analytics.latest_risks(lake, 1, BEGIN)
    assert found.select("device_id", "horizon_h", "probability").rows() == [(2, 24.0, 0.5), (1, 24.0, 0.1), (2, 168.0, 0.7)]
    assert analytics.latest_risks(lake, 1, BEGIN, []).is_empty()


def test_the_newest_forecast_counts_that_of_a_machine_apart_from_the_factory(lake: Lake) -> None:
    replace_job(lake, 1, "energy_forecasts", "old", pl.concat([forecast(None, BEGIN, 3, 1.0), forecast(7, BEGIN, 1, 0.5)]))
    replace_job(lake, 1, "energy_forecasts", "new", forecast(None, BEGIN + HOUR, 2, 2.0))
    assert analytics.latest_forecast(lake, 1, BEGIN + DAY)["kwh"].to_list() == [2.0, 2.0]
    assert analytics.latest_forecast(lake, 1, BEGIN + DAY, 7)["kwh"].to_list() == [0.5]
    assert analytics.latest_forecast(lake, 1, BEGIN + 60 * DAY).is_empty()


def test_marks_of_a_chart_are_its_anomalies_by_time_and_the_energy_expected_in_it(lake: Lake) -> None:
    replace_window(lake, 1, "anomalies", [1, 2], WINDOW, pl.DataFrame([anomaly(1, 9), anomaly(1, 2), anomaly(2, 4)]))
    replace_job(lake, 1, "energy_forecasts", "j1", forecast(1, BEGIN, 30, 1.5))
    marks = analytics.machine_marks(lake, 1, 1, BEGIN + HOUR, BEGIN + DAY)
    assert [((m.begin - BEGIN) / HOUR, m.parameters) for m in marks.anomalies] == [
        (2.0, ("vibration", "power")),
        (9.0, ("vibration", "power")),
    ]
    assert marks.forecast.height == 23


def test_scores_are_thinned_to_the_greatest_of_each_bucket(lake: Lake) -> None:
    times = [BEGIN + number * timedelta(minutes=1) for number in range(240)]
    scores = [9.0 if number == 100 else 0.5 for number in range(240)]
    frame = pl.DataFrame({"device_id": [1] * 240, "ts": times, "score": scores})
    replace_window(lake, 1, "anomaly_scores", [1], WINDOW, frame)
    found = analytics.anomaly_scores(lake, 1, 1, BEGIN, BEGIN + timedelta(hours=4), most=24)
    assert found.height == 24
    assert found["score"].max() == 9.0
    assert expire_scores(lake, BEGIN + timedelta(hours=2), 1) == 120
    assert expire_scores(lake, BEGIN + timedelta(hours=4), 2) == 0


def test_contributions_are_read_in_either_form() -> None:
    assert analytics.shares('{"a": 0.1, "b": 0.9, "said": "words"}') == [("b", 0.9), ("a", 0.1)]
    assert analytics.contributors('[{"parameter": "a", "share": 0.3}, {"parameter": "b", "share": 0.7}, 5]') == ["b", "a"]
    assert analytics.shares(None) == []
