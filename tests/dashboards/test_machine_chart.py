"""The chart of a machine as it is drawn."""

from datetime import UTC, datetime, timedelta

import polars as pl

from dashboards import loads, machine_chart
from dashboards.fmt import Local
from dashboards.machine_chart import STACKED, Drawn
from dashboards.machine_data import Live, Past, Wanted
from warehouse.queries.analytics import MachineMarks
from warehouse.queries.live import LiveValue

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def test_the_forecast_of_the_power_is_drawn_in_the_unit_of_its_panel_with_a_clock_that_reaches_to_its_end() -> None:
    local = Local.at(NOW, "UTC")
    begins = [NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)]
    rows = {
        "ts": begins,
        "interval_s": [3600] * 3,
        "kwh": [2.0, 3.0, None],
        "kwh_low_80": [1.0, 2.0, None],
        "kwh_high_80": [3.0, 4.5, None],
    }
    marks = MachineMarks((), pl.DataFrame(rows))
    middle = local.wall(NOW + timedelta(minutes=30))
    found = machine_chart.expected(marks, "W", local)
    assert found is not None
    assert found.middle[1] == [middle, 3000.0]
    assert found.highest[1:] == [[middle, 4500.0], [middle + 3_600_000, None]]
    assert machine_chart.expected(marks, "°C", local) is None
    bucket = {"parameter": ["power"], "bucket": [NOW - timedelta(minutes=9)], "mean": [2500.0], "min": [1.0], "max": [9.0]}
    past = Past(pl.DataFrame(bucket), NOW - timedelta(hours=4), NOW, timedelta(minutes=1), is_stale=False)
    live = Live([LiveValue("power", "Power", "W", True, NOW, NOW, 1.0, None, False)], {}, {}, {}, [])
    drawn = Drawn(Wanted(("power",)), past, live.values, [], None, None, STACKED, marks)
    chart = machine_chart.made(drawn, live, local, "light")
    assert chart.end == middle + 3_600_000
    assert "Forecast of the power" in chart.words
    assert chart.option is not None
    assert [line["data"] for line in chart.option["series"] if line["name"] == "Forecast"] == [found.middle]
    assert chart.option["xAxis"][0]["max"] == chart.end


def test_a_trend_has_a_place_for_each_ten_minutes_and_a_gap_where_nothing_was_measured() -> None:
    rows = [(1, NOW - timedelta(minutes=20), 5.0), (1, NOW, 7.0), (2, NOW, 9.0), (1, NOW - timedelta(hours=9), 1.0)]
    schema = {"device_id": pl.Int32, "bucket": pl.Datetime("us", "UTC"), "power_w": pl.Float64}
    found = loads.trends(pl.DataFrame(rows, schema=schema, orient="row"), NOW + timedelta(minutes=3), [1])
    assert list(found) == [1]
    assert found[1][-4:] == [None, 5.0, None, 7.0]
    assert len(found[1]) == loads.TREND_POINTS
    assert set(found[1][:-4]) == {None}
