"""Machine-hours are cut into lives by failures and work, and what is left of each is known or not."""

from datetime import UTC, datetime, timedelta

import polars as pl

from assets.models.failure.lives import cut_into_lives

T0 = datetime(2026, 1, 1, tzinfo=UTC)
UTC_US = pl.Datetime("us", "UTC")


def hours(count: int, device_id: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"device_id": device_id, "bucket": [T0 + timedelta(hours=at) for at in range(count)]}).cast(
        {"device_id": pl.Int32, "bucket": UTC_US}
    )


def events(*rows: tuple[int, str, float, float | None]) -> pl.DataFrame:
    """Machine, kind, begin and end in hours after T0."""
    found = [
        (device, kind, T0 + timedelta(hours=begin), None if end is None else T0 + timedelta(hours=end)) for device, kind, begin, end in rows
    ]
    schema = {"device_id": pl.Int32, "kind": pl.String, "began_at": UTC_US, "ended_at": UTC_US}
    return pl.DataFrame(found, schema=schema, orient="row")


def cut(rows: pl.DataFrame, work: pl.DataFrame, end_h: float) -> pl.DataFrame:
    return cut_into_lives(rows, work, T0 + timedelta(hours=end_h))


def test_a_failure_ends_a_life_and_its_repair_begins_the_next() -> None:
    found = cut(hours(10), events((1, "failure", 4.0, 6.5)), 10)
    first, second = found.filter(pl.col("life") == 0), found.filter(pl.col("life") == 1)
    assert first["remaining_h"].to_list() == [3.0, 2.0, 1.0, 0.0]
    assert first["age_h"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert second["bucket"].to_list() == [T0 + timedelta(hours=at) for at in (7, 8, 9)]
    assert second["remaining_h"].to_list() == [None, None, None]
    assert second["watched_h"].to_list() == [2.0, 1.0, 0.0]
    assert second["age_h"].to_list() == [1.5, 2.5, 3.5]


def test_the_hour_in_which_a_machine_fails_tells_nothing_about_before() -> None:
    found = cut(hours(6), events((1, "failure", 3.5, 4.0)), 6)
    assert found.filter(pl.col("life") == 0)["remaining_h"].to_list() == [2.5, 1.5, 0.5]
    assert T0 + timedelta(hours=3) not in found["bucket"].to_list()


def test_planned_work_begins_a_life_but_is_no_failure() -> None:
    found = cut(hours(8), events((1, "planned", 3.0, 4.0)), 8)
    assert found["remaining_h"].null_count() == found.height
    assert found.filter(pl.col("life") == 0)["watched_h"].to_list() == [2.0, 1.0, 0.0]
    assert found.filter(pl.col("life") == 1)["age_h"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_an_inspection_changes_nothing() -> None:
    assert cut(hours(8), events((1, "inspection", 3.0, 4.0)), 8).equals(cut(hours(8), events(), 8))


def test_works_that_overlap_are_one() -> None:
    found = cut(hours(12), events((1, "planned", 4.0, 9.0), (1, "failure", 5.0, 6.0)), 12)
    assert found["life"].n_unique() == 2
    assert found["bucket"].to_list() == [T0 + timedelta(hours=at) for at in (0, 1, 2, 3, 9, 10, 11)]


def test_a_failure_that_goes_on_has_no_next_life() -> None:
    found = cut(hours(8), events((1, "failure", 5.0, None)), 8)
    assert found["life"].n_unique() == 1
    assert found["bucket"].max() == T0 + timedelta(hours=4)


def test_machines_do_not_share_lives() -> None:
    both = pl.concat([hours(4), hours(4, device_id=2)])
    found = cut(both, events((2, "failure", 2.0, 3.0)), 4)
    assert found.filter(pl.col("device_id") == 1)["remaining_h"].null_count() == 4
    assert found.filter(pl.col("device_id") == 2)["remaining_h"].to_list() == [1.0, 0.0, None]
    assert found.group_by("life").agg(pl.col("device_id").n_unique())["device_id"].to_list() == [1, 1, 1]


def test_no_hours_give_no_lives() -> None:
    assert cut(hours(0), events(), 8).columns == ["device_id", "bucket", "life", "age_h", "remaining_h", "watched_h"]
