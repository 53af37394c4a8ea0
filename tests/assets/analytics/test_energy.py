"""Energy forecast from the lake to rows, cost and sentences, on one small plant."""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.analytics.contract import Inputs, NotEnoughDataError
from assets.analytics.energy import analyse
from assets.analytics.holiday_calendar import country_of_zone, holidays_of
from assets.forecasts import energy_forecasts
from assets.models.energy import forecast as forecasting
from assets.models.energy import lagged
from tests.assets.analytics.plants import NOW, factory, moments, readings
from warehouse.errors import InvalidInputError
from warehouse.installation import Installation
from warehouse.queries.analytics import latest_forecast
from warehouse.queries.energy_use import Band, Tariff
from warehouse.tariffs import set_tariff

STEP = timedelta(minutes=5)
DAYS = 36
slow = pytest.mark.slow


def quiet(_percent: float, _stage: str) -> None:
    """A Tell that tells nobody."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two machines that work from 6 to 14 in Berlin on workdays with 10 and 20 kW, else with 1; a third one since yesterday."""
    with pytest.MonkeyPatch.context() as patch, factory(tmp_path_factory.mktemp("energy"), 3) as installation:
        patch.setattr(forecasting, "ORIGINS", 2)
        patch.setattr(lagged, "ROUNDS", 25)
        patch.setattr(lagged, "MOST_ROWS", 8_000)
        rng = np.random.default_rng(0)
        times = moments(DAYS, STEP)
        local = [moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in times]
        works = np.array([each.weekday() < 5 and 6 <= each.hour < 14 for each in local])
        for device_id, watts in ((1, 10_000.0), (2, 20_000.0)):
            installation.lake.append(readings(device_id, "power", times, np.where(works, watts, 1_000.0) * rng.normal(1, 0.05, len(times))))
        installation.lake.append(readings(3, "power", times[-288:], np.full(288, 500.0)))
        set_tariff(installation.db, 1, Tariff("EUR", 0.2, (Band("night", 0.1, (0, 1, 2, 3, 4, 5, 6), 0, 6),)))
        yield installation


def ordered(installation: Installation, *device_ids: int, factory_id: int = 1, **parameters: object) -> Inputs:
    return Inputs(installation, factory_id, device_ids, NOW - timedelta(days=1), NOW, parameters, "job-1")


@slow
def test_the_days_ahead_with_cost_and_peak(plant: Installation) -> None:
    stages: list[float] = []
    result = analyse(ordered(plant, 1, 2, 3, horizon_days=2), lambda percent, _stage: stages.append(percent))
    rows = result.tables["energy_forecasts"]
    assert rows.filter(pl.col("device_id").is_null()).height == rows.filter(pl.col("device_id") == 2).height == 2 * 96
    assert rows["ts"].min() == NOW
    assert rows["ts"].max() == NOW + timedelta(days=2, minutes=-15)
    own = {each["device_id"]: each for each in result.summary["series"]}
    # Two and a bit working days of 8 h: from 8:30 to 14 on Monday, all of Tuesday, from 6 to 8:30 on Wednesday.
    assert own[2]["kwh"] == pytest.approx(16 * 20 + 32 * 1, rel=0.08)
    assert own[2]["peak_kw"] == pytest.approx(20, rel=0.1)
    assert own[None]["kwh"] == pytest.approx(own[1]["kwh"] + own[2]["kwh"], rel=0.1)
    night = rows.filter(pl.col("device_id") == 2, pl.col("ts").dt.convert_time_zone("Europe/Berlin").dt.hour() < 6)
    assert night.select((pl.col("cost") / pl.col("kwh")).mean()).item() == pytest.approx(0.1)
    assert own[2]["cost"] == pytest.approx(float(rows.filter(pl.col("device_id") == 2)["cost"].sum()), abs=0.01)
    for low, high in (("kwh_low_80", "kwh_high_80"), ("kwh_low_95", "kwh_high_95")):
        assert rows.filter((pl.col(low) > pl.col("kwh")) | (pl.col(high) < pl.col("kwh"))).height == 0
    assert {"prophet", "ridge", "boosting", "seasonal_naive", "blend"} <= set(own[2]["backtest_wape"])
    assert own[2]["backtest_wape"][own[2]["model"]] <= own[2]["backtest_wape"]["seasonal_naive"]
    assert result.summary["not_forecast"] == ["Pump 3: only 1 days of energy; needs 14"]
    assert "kWh in the next 2 days" in result.summary["headline"]
    assert any("EUR" in text for text in result.summary["findings"])
    assert {"factory", "device-1", "device-2"} == set(result.charts)
    assert stages == sorted(stages)


@slow
def test_too_little_is_said_and_so_is_a_wrong_horizon(plant: Installation) -> None:
    with pytest.raises(NotEnoughDataError, match="needs 14"):
        analyse(ordered(plant, 99, factory_id=2), quiet)
    for wrong in (0, 15, "7", True):
        with pytest.raises(InvalidInputError, match="from 1 to 14"):
            analyse(ordered(plant, 1, horizon_days=wrong), quiet)
    with pytest.raises(InvalidInputError, match="not known"):
        analyse(ordered(plant, 1, country="XX"), quiet)


@slow
def test_the_asset_keeps_rows_and_checks_what_it_made(plant: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.analytics.energy.MOST_WITH_PROPHET", 0)
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("factories", ["north"])
        done = dg.materialize([energy_forecasts], resources={"installation": plant}, partition_key="north", instance=instance)
        assert done.success
        assert {check.check_name: check.passed for check in done.get_asset_check_evaluations()} == {
            "intervals_cover": True, "better_than_last_week": True, "no_sudden_change": True,
        }  # fmt: skip
    assert latest_forecast(plant.lake, 1, NOW).height == 7 * 96
    assert latest_forecast(plant.lake, 1, NOW, device_id=2).height == 7 * 96
    assert latest_forecast(plant.lake, 2, NOW).height == 0


def test_the_country_of_a_zone_has_its_holidays() -> None:
    assert country_of_zone("Asia/Ho_Chi_Minh") == "VN"
    assert country_of_zone("UTC") is None
    assert date(2026, 10, 3) in holidays_of("DE", [2026])
    assert date(2018, 9, 24) in holidays_of("KR", [2018])
    assert holidays_of(None, [2026]) == frozenset()
