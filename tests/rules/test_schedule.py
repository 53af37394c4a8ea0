"""When rules apply, in the factory's time zone, on days when clocks change too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.parse_schedules import parse_schedule
from rules.schedule import ALWAYS, MIDNIGHT_AFTER, DateRange, Schedule, TimeWindow, microseconds, moment_of
from warehouse.errors import InvalidInputError

BERLIN = ZoneInfo("Europe/Berlin")  # 2026: +1 h; +2 h from 29 March 01:00 UTC to 25 October 01:00 UTC
SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")  # +7 h, always
EVERY_DAY = frozenset(range(1, 8))


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    """Microseconds of a local time; `fold=1` is its second occurrence."""
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold))


def test_always() -> None:
    assert ALWAYS.is_open(at("2026-01-05 03:00"))


@pytest.mark.parametrize(
    ("clock", "is_open"), [("05:59:59", False), ("06:00:00", True), ("21:59:59.999999", True), ("22:00:00", False), ("23:30:00", False)]
)
def test_a_day_shift_includes_its_start_and_excludes_its_end(clock: str, is_open: bool) -> None:
    window = TimeWindow(time(6), time(22), EVERY_DAY, BERLIN)
    assert window.is_open(at(f"2026-01-05 {clock}")) is is_open


def test_the_window_follows_the_factorys_clock_not_utc() -> None:
    window = TimeWindow(time(6), time(22), EVERY_DAY, SAIGON)
    assert window.is_open(microseconds(datetime(2026, 1, 4, 23, 30, tzinfo=UTC)))  # 06:30 in Saigon
    assert not window.is_open(microseconds(datetime(2026, 1, 5, 15, 0, tzinfo=UTC)))  # 22:00 in Saigon


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-01-05 21:59", False),  # Monday evening
        ("2026-01-05 22:00", True),
        ("2026-01-06 05:59", True),  # Tuesday morning belongs to Monday's window
        ("2026-01-06 06:00", False),
        ("2026-01-06 23:00", False),  # Tuesday's night is not listed
        ("2026-01-05 03:00", False),  # Monday morning belongs to Sunday, which is not listed
    ],
)
def test_an_overnight_window_belongs_to_the_day_that_it_began(moment: str, is_open: bool) -> None:
    assert TimeWindow(time(22), time(6), frozenset({1}), BERLIN).is_open(at(moment)) is is_open


def test_a_window_may_end_at_midnight() -> None:
    window = TimeWindow(time(18), MIDNIGHT_AFTER, frozenset({1}), BERLIN)
    assert window.is_open(at("2026-01-05 23:59:59.999999"))
    assert not window.is_open(at("2026-01-06 00:00"))


def test_an_opening_time_that_the_clock_skips_is_an_hour_later_on_the_clock() -> None:
    """02:00 -> 03:00 on 29 March."""
    window = TimeWindow(time(2, 30), time(6), EVERY_DAY, BERLIN)
    assert not window.is_open(at("2026-03-29 03:29"))
    assert window.is_open(at("2026-03-29 03:30"))


def test_a_window_opens_once_when_the_clock_shows_its_opening_time_twice() -> None:
    """03:00 -> 02:00 on 25 October: open from the first 02:30 on, and not closed in between."""
    window = TimeWindow(time(2, 30), time(6), EVERY_DAY, BERLIN)
    assert [
        window.is_open(at(f"2026-10-25 {clock}", fold=fold)) for clock, fold in (("02:29", 0), ("02:30", 0), ("02:10", 1), ("02:40", 1))
    ] == [
        False,
        True,
        True,
        True,
    ]


def test_a_window_closes_for_good_at_the_first_of_two_closing_times() -> None:
    window = TimeWindow(time(0, 30), time(2, 30), EVERY_DAY, BERLIN)
    assert window.is_open(at("2026-10-25 02:29", fold=0))
    assert not window.is_open(at("2026-10-25 02:10", fold=1))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-10-27", 8)])
def test_a_night_shift_is_an_hour_shorter_or_longer_when_clocks_change(day: str, hours: int) -> None:
    window = TimeWindow(time(22), time(6), EVERY_DAY, BERLIN)
    opens, closes, is_open = window.span_at(at(f"{day} 23:00"))
    assert is_open
    assert closes - opens == hours * 3_600_000_000


def test_a_date_range_includes_both_days_of_the_factory() -> None:
    dates = DateRange(date(2026, 1, 5), date(2026, 1, 6), SAIGON)
    assert [
        dates.is_open(at(text, SAIGON)) for text in ("2026-01-04 23:59", "2026-01-05 00:00", "2026-01-06 23:59", "2026-01-07 00:00")
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_a_date_range_may_be_open_on_either_side() -> None:
    assert DateRange(None, date(2026, 1, 6), BERLIN).is_open(at("1999-01-01 00:00"))
    assert DateRange(date(2026, 1, 6), None, BERLIN).is_open(at("2999-01-01 00:00"))
    assert DateRange(date(2026, 1, 6), date.max, BERLIN).is_open(at("2999-01-01 00:00"))


moments = st.integers(at("2026-01-01 00:00"), at("2027-01-01 00:00")).map(moment_of)
clocks = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
days = st.frozensets(st.integers(1, 7), min_size=1)


@given(moments)
def test_microseconds_are_exact(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment


@given(st.lists(moments, min_size=1, max_size=20), clocks, clocks, days)
def test_what_is_remembered_of_one_moment_is_right_for_all_others(
    asked: list[datetime], start: time, end: time, allowed: frozenset[int]
) -> None:
    if start == end:
        return
    remembering = TimeWindow(start, end, allowed, BERLIN)
    for moment in asked:
        assert remembering.is_open(microseconds(moment)) is TimeWindow(start, end, allowed, BERLIN).is_open(microseconds(moment))


@given(moments, clocks, clocks, days)
def test_away_from_clock_changes_a_window_is_what_the_wall_clock_says(
    moment: datetime, start: time, end: time, allowed: frozenset[int]
) -> None:
    local = moment.astimezone(SAIGON)
    if start == end:
        return
    clock, today, yesterday = local.time(), local.isoweekday(), (local - timedelta(days=1)).isoweekday()
    if start < end:
        expected = start <= clock < end and today in allowed
    else:
        expected = (clock >= start and today in allowed) or (clock < end and yesterday in allowed)
    assert TimeWindow(start, end, allowed, SAIGON).is_open(microseconds(moment)) is expected


SHIFTS = {"early": (time(6), time(14)), "night": (time(22), time(6))}


def opened(schedule: Schedule, *moments: str) -> list[bool]:
    """Whether it applies at local times."""
    return [schedule.is_open(at(moment)) for moment in moments]


def test_several_windows_apply_when_one_of_them_does() -> None:
    config = {"windows": [{"start_time": "06:00", "end_time": "08:00"}, {"start_time": "20:00", "end_time": "22:00", "days": [1]}]}
    schedule = parse_schedule("time_window", config, BERLIN)
    # 2026-01-05 is a Monday.
    moments = ("2026-01-05 07:00", "2026-01-05 12:00", "2026-01-05 21:00", "2026-01-06 21:00", "2026-01-06 08:00")
    assert opened(schedule, *moments) == [True, False, True, False, False]


def test_a_named_shift_belongs_to_the_day_on_which_it_began() -> None:
    schedule = parse_schedule("time_window", {"shift": "night", "days": [5]}, BERLIN, shifts=SHIFTS)
    assert opened(schedule, "2026-01-09 21:59", "2026-01-09 22:00", "2026-01-10 05:59", "2026-01-10 06:00", "2026-01-10 23:00") == [
        False, True, True, False, False,
    ]  # fmt: skip


def test_a_night_shift_over_a_change_of_time_lasts_from_clock_to_clock() -> None:
    """Clocks go forward on 2026-03-29 and back on 2026-10-25, in Berlin at night: the shift lasts 7 and 9 hours."""
    schedule = parse_schedule("time_window", {"shift": "night"}, BERLIN, shifts=SHIFTS)
    for began, hours in (("2026-03-28 22:00", 7), ("2026-10-24 22:00", 9)):
        start = at(began)
        assert schedule.changes_at(start) == start + hours * 3_600_000_000


def test_several_ranges_and_only_inside_their_windows() -> None:
    config = {
        "ranges": [{"end_date": "2026-01-05"}, {"start_date": "2026-02-01", "end_date": "2026-02-01"}],
        "windows": [{"shift": "early"}],
    }
    schedule = parse_schedule("date_range", config, BERLIN, shifts=SHIFTS)
    moments = ("2026-01-05 07:00", "2026-01-05 15:00", "2026-01-06 07:00", "2026-02-01 07:00", "2026-02-02 07:00")
    assert opened(schedule, *moments) == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("schedule_type", "config", "path", "said"),
    [
        ("time_window", {"windows": []}, "$.schedule_config.windows", "must be a list of 1 to 50"),
        ("time_window", {"windows": [{"start_time": "25:00"}]}, "$.schedule_config.windows[0].start_time", "no time of day"),
        ("time_window", {"windows": [{}], "days": [1]}, "$.schedule_config.days", "allowed: windows"),
        ("time_window", {"shift": "dusk"}, "$.schedule_config.shift", "no shift of this factory; allowed: early, night"),
        ("time_window", {"shift": "early", "days": [8]}, "$.schedule_config.days[0]", "8 is no day"),
        ("time_window", {"shift": "early", "start_time": "06:00"}, "$.schedule_config.start_time", "allowed: shift, days"),
        ("date_range", {"ranges": [{}]}, "$.schedule_config.ranges[0]", "needs start_date"),
        ("date_range", {"ranges": [], "windows": []}, "$.schedule_config.ranges", "must be a list"),
        ("date_range", {"start_date": "2026-01-01", "windows": [{"shift": "x"}]}, "$.schedule_config.windows[0].shift", "no shift"),
    ],
)
def test_invalid_schedules_of_several_parts_are_refused(schedule_type: str, config: object, path: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_schedule(schedule_type, config, BERLIN, shifts=SHIFTS)
    assert refused.value.facts["path"] == path
    assert said in refused.value.message
