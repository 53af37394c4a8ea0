"""Rules over history: the same alerts as live, for every kind; what a backtest says of them; where it looks."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import backtest
from rules.backtest import Backtest, Episode, compare, run
from rules.conditions import Deviation
from rules.engine import SECOND_US, examine
from rules.schedule import moment_of
from tests.rules.kinds import KINDS, Kind
from tests.rules.test_kinds import TREES, Told, keep
from tests.rules.timelines import HOT, Plant, rule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = {"at": pl.Int64, "parameter": pl.String, "value": pl.Float64, "text": pl.String}


def frame(rows: Iterable[tuple[float, str, float | str]]) -> pl.DataFrame:
    table = [(round(at * SECOND_US), p, None if isinstance(v, str) else v, v if isinstance(v, str) else None) for at, p, v in rows]
    return pl.DataFrame(table, schema=SCHEMA, orient="row")


def usual(_leaf: Deviation, _device_id: int) -> pl.DataFrame:
    return pl.DataFrame({"hour": [0], "mean": [70.0], "stddev": [2.0]})


def told(found: Backtest) -> list[tuple[str, float]]:
    starts = [("R", (one.start - EPOCH).total_seconds() / 60) for one in found.episodes]
    ends = [("C", (one.end - EPOCH).total_seconds() / 60) for one in found.episodes if one.end]
    return sorted([*starts, *ends], key=lambda event: event[1])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_over_history(kind: Kind) -> None:
    rows: dict[int, list[tuple[float, str, Any]]] = {device: [] for device in kind.devices}
    for at, device, values in kind.messages():
        rows[device] += [(at, parameter, value) for parameter, value in values.items()]
    hot = rule(kind.document, cooldown_min=kind.cooldown_min, devices=sorted(kind.devices))
    until = moment_of(round(kind.ends_s * SECOND_US))
    found = run(hot, sorted(kind.devices), lambda device: frame(rows[device]), EPOCH, until, baselines_of=usual)
    assert told(found) == kind.expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(range(0, 600, 10)), st.sampled_from(["temp", "flow"]), st.integers(1, 2), st.sampled_from([70.0, 79.0, 85.0])
        ),
        max_size=60,
    ),
    st.sampled_from(range(len(TREES))),
    st.sampled_from([0.0, 0.5, 5]),
)
@settings(deadline=None, max_examples=200)
def test_live_and_backtest_give_the_same_alerts(sent: list[tuple[int, str, int, float]], tree: int, cooldown_min: float) -> None:
    once = {(at, parameter, device): value for at, parameter, device, value in sent}
    live, watched = (
        Plant(rule(TREES[tree], cooldown_min=cooldown_min, devices=(1, 2))),
        rule(TREES[tree], cooldown_min=cooldown_min, devices=(1, 2)),
    )
    events: set[Told] = set()
    for at in sorted({at for at, *_ in once}):
        keep(events, live.readings(*[(moment, p, device, value) for (moment, p, device), value in sorted(once.items()) if moment == at]))
    keep(events, live.silence_until(3001))
    rows = {device: [(at, p, value) for (at, p, one), value in once.items() if one == device] for device in (1, 2)}
    until = moment_of(3000 * SECOND_US)
    found = run(watched, (1, 2), lambda device: frame(rows[device]), EPOCH, until)
    firsts = {("raised", one.device_id, round((one.start - EPOCH).total_seconds() * SECOND_US)) for one in found.episodes}
    ends = {("cleared", one.device_id, round((one.end - EPOCH).total_seconds() * SECOND_US)) for one in found.episodes if one.end}
    assert firsts | ends <= events
    assert len([event for event in events if event[0] == "raised"]) == len(found.episodes) + sum(one.repeats for one in found.episodes)
    assert {event for event in events if event[0] == "cleared"} == ends


DAY = timedelta(days=1)


def result(*episodes: tuple[float, float | None], device: int = 5) -> Backtest:
    """Beginning and end in hours."""
    found = tuple(
        Episode(device, EPOCH + timedelta(hours=start), None if end is None else EPOCH + timedelta(hours=end), {})
        for start, end in episodes
    )
    return Backtest(EPOCH, EPOCH + 2 * DAY, (device,), found, 0)


def test_alerts_are_counted_on_the_factorys_days() -> None:
    found = result((1, 2), (20, 21), (47.5, None))
    assert found.per_day(ZoneInfo("UTC")) == {"1970-01-01": 2, "1970-01-02": 1, "1970-01-03": 0}
    assert found.per_day(ZoneInfo("Asia/Ho_Chi_Minh")) == {"1970-01-01": 1, "1970-01-02": 1, "1970-01-03": 1}


def test_the_share_of_time_firing_counts_open_alerts_up_to_the_end() -> None:
    assert result((0, 12), (42, None)).share_firing == pytest.approx((12 + 6) / 48)


def test_an_alert_that_already_goes_on_counts_on_the_first_day_and_for_its_time_within_the_period() -> None:
    """The period begins at 07:00 in Vietnam; six and eight hours before, it is the day before there as well."""
    found = result((-8, 12), (-6, None))
    assert found.per_day(ZoneInfo("Asia/Ho_Chi_Minh")) == {"1970-01-01": 2, "1970-01-02": 0, "1970-01-03": 0}
    assert found.per_day(ZoneInfo("America/New_York")) == {"1969-12-31": 2, "1970-01-01": 0, "1970-01-02": 0}
    assert found.share_firing == pytest.approx((12 + 48) / 48)


def test_what_began_before_the_period_and_goes_on_in_it_is_told_with_its_own_beginning() -> None:
    """Over 80 from two hours before `since`, the period's first minutes after local midnight, until an hour into it."""
    since = datetime(2026, 11, 23, 17, 8, tzinfo=UTC)
    from_s = (since - EPOCH).total_seconds()
    rows = [(from_s + minute * 60, "temp", 85.0 if -120 <= minute < 60 else 70.0) for minute in range(-240, 120)]
    found = run(rule(HOT, devices=(5,), cooldown_min=600), (5,), lambda _device: frame(rows), since, since + DAY)
    assert [(one.start, one.end) for one in found.episodes] == [(since - timedelta(hours=2), since + timedelta(hours=1))]
    assert found.per_day(ZoneInfo("Asia/Ho_Chi_Minh")) == {"2026-11-24": 1, "2026-11-25": 0}


def test_two_versions_are_compared_by_alerts_that_overlap() -> None:
    found = compare(result((1, 2), (10, 12), (40, None)), result((1.5, 3), (20, 21)))
    assert [one.start.hour for one in found.only_new] == [10, 16]
    assert [one.start.hour for one in found.only_present] == [20]
    assert found.both == 1


def a_month(device: int) -> pl.DataFrame:
    """518,400 readings that drift between 60 and 85, over 80 about once an hour."""
    at = np.arange(0, 30 * 86_400, 5, dtype=np.int64) * SECOND_US
    noise = np.random.default_rng(device).normal(0, 0.02, at.size)
    value = 72 + 8.5 * np.sin(at / SECOND_US / 3600 * 2 * np.pi + device) + noise
    return pl.DataFrame({"at": at, "value": value}).with_columns(pl.lit("temp").alias("parameter"), pl.lit(None, pl.String).alias("text"))


@pytest.mark.parametrize("document", [HOT, {**HOT, "for_minutes": 5}], ids=["comparison", "held"])
def test_a_month_is_looked_at_only_where_something_turns(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes it quick; how quick is measured by `factoryops bench backtest`."""
    looks, done = 0, []

    def counted(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        return examine(*given)

    monkeypatch.setattr(backtest, "examine", counted)
    hot = rule(document, devices=(1,), cooldown_min=15)
    found = run(hot, (1,), a_month, EPOCH, EPOCH + 30 * DAY, progress=lambda n, of: done.append((n, of)))
    assert found.readings == 518_400
    assert len(found.episodes) > 100
    assert looks < 5_000
    assert done == [(1, 1)]
