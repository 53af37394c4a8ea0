from datetime import UTC, datetime, timedelta

import pytest

from dashboards import fmt
from dashboards.fmt import Local

NOW = datetime(2026, 11, 23, 9, 42, 8, tzinfo=UTC)
HANOI = Local.at(NOW, "Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (0, "0"),
        (0.0, "0"),
        (1e-9, "0"),
        (0.0712, "0.071"),
        (0.412, "0.41"),
        (1.006, "1.01"),
        (12.34, "12.3"),
        (86.44, "86.4"),
        (99.96, "100"),
        (123.4, "123"),
        (10_184.6, "10,185"),
        (-5.25, "−5.25"),
        (-0.0000001, "0"),
    ],
)
def test_numbers_have_three_digits_a_real_minus_and_a_dash_for_none(value: float | None, text: str) -> None:
    assert fmt.num(value) == text


@pytest.mark.parametrize(("value", "text"), [(80.0, "80"), (7.1, "7.1"), (-15, "−15"), (1000, "1,000"), (0.1 + 0.2, "0.3"), (0, "0")])
def test_thresholds_are_shown_as_they_were_set(value: float, text: str) -> None:
    assert fmt.exact(value) == text


def test_changes_show_their_sign() -> None:
    assert fmt.percent_change(104.8, 100) == "+4.8 %"
    assert fmt.percent_change(90, 100) == "−10 %"
    assert fmt.percent_change(5, 0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (2.9, "2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (4740, "1 h 19 min"),
        (7200, "2 h"),
        (40_000, "11 h"),
        (90_000, "1 d 1 h"),
        (400_000, "4 d"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert fmt.span(seconds) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=2), "2 s ago"),
        (timedelta(hours=11), "11 h ago"),
        (timedelta(hours=14), "today 02:42"),
        (timedelta(hours=22), "yesterday 18:42"),
        (timedelta(days=14), "9 Nov 16:42"),
    ],
)
def test_moments_are_relative_for_half_a_day_then_day_and_clock(back: timedelta, text: str) -> None:
    assert HANOI.ago(NOW - back) == text


def test_the_zone_is_named_as_people_there_do() -> None:
    assert HANOI.zone_name == "GMT+7"
    assert Local.at(NOW, "Europe/Berlin").zone_name == "CET"
    assert Local.at(datetime(2026, 7, 1, tzinfo=UTC), "Europe/Berlin").zone_name == "CEST"
    assert Local.at(NOW, "Asia/Kathmandu").zone_name == "GMT+5:45"


def test_charts_show_the_factorys_wall_clock() -> None:
    assert HANOI.wall(NOW) == int(datetime(2026, 11, 23, 16, 42, 8, tzinfo=UTC).timestamp() * 1000)


def test_the_day_begins_at_the_factorys_midnight() -> None:
    assert HANOI.midnight.astimezone(UTC) == datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
