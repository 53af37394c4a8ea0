"""Summaries of a range in buckets of any length, from rollups and readings together: the base of history, energy and KPIs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from warehouse.lake import Lake
from warehouse.marks import LONGEST_HOLD
from warehouse.open_hours import open_hours, rollup_source
from warehouse.queries.plan import Plan, Range, plan
from warehouse.readings import UTC_TIME
from warehouse.summaries import STEPS

BUCKETS: Final = pl.Schema(
    {"device_id": pl.Int32(), "parameter": pl.String(), "bucket": UTC_TIME, "count": pl.Int64(), "min": pl.Float64(), "max": pl.Float64(),
     "mean": pl.Float64(), "first": pl.Float64(), "last": pl.Float64(), "covered_s": pl.Float64(), "integral": pl.Float64()}
)  # fmt: skip
"""`integral`: unit x seconds; see `warehouse.summaries`."""
_ADDED_UP: Final = {
    "count": "sum(count)::BIGINT", "min": "min(min)", "max": "max(max)", "mean": "sum(sum) / sum(count)", "first": "arg_min(first, part)",
    "last": "arg_max(last, part)", "covered_s": "sum(covered_s)", "integral": "sum(integral)",
}  # fmt: skip
_STORED: Final = {**{name: name for name in _ADDED_UP}, "mean": "sum / count"}
# Whole numbers: on 500,000 readings time_bucket() takes 100 ms of CPU more, date_trunc() of moments with a zone 200 ms.
_BUCKET: Final = "epoch_us({time}) // $interval_us * $interval_us"


def summaries(  # noqa: PLR0913 - what is asked of which range, and what may be left out
    lake: Lake,
    factory_id: int,
    start: datetime,
    end: datetime,
    interval: timedelta,
    *,
    device_ids: Sequence[int] | None = None,
    parameters: Sequence[str] | None = None,
    with_integral: bool = False,
    only: Collection[str] = (),
) -> pl.DataFrame:
    """BUCKETS of [start, end), sorted; buckets are aligned to the epoch; None means all machines or parameters.

    Without `with_integral` `covered_s` and `integral` are null where readings are asked, which is quicker. `only`: the figures that are
    wanted, others may be null: each that is read costs 2 ms. Raises LakeBusyError.
    """
    known = open_hours(lake)
    chosen = plan(start, end, interval, known.by_factory.get(factory_id, ()), known.running_from)
    bound: dict[str, Any] = {"interval_us": interval // timedelta(microseconds=1)}
    wanted = _wanted(bound, device_ids, parameters)
    quick = rollup_source(lake, known, chosen.level, chosen.rollup[0][0], chosen.rollup[-1][1]) if chosen.rollup else {}
    reader = lake.reader(factory_id).with_sources(quick)
    if not chosen.raw and len(chosen.rollup) == 1 and interval == STEPS[chosen.level]:
        found = reader.query(_stored(chosen, bound, wanted, only), {name: value for name, value in bound.items() if name != "interval_us"})
        return found.select(BUCKETS.names()).cast(BUCKETS)
    parts = [_from_rollup(chosen, number, each, bound, wanted) for number, each in enumerate(chosen.rollup)]
    parts += [_from_raw(number, each, bound, wanted, end if with_integral else None) for number, each in enumerate(chosen.raw)]
    # What the outer statement does not ask for, the inner ones do not work out.
    found = reader.query(
        f"SELECT device_id, parameter, make_timestamptz(bucket_us) AS bucket, {_figures(_ADDED_UP, only)} "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY device_id, parameter, bucket_us ORDER BY device_id, parameter, bucket_us",
        bound,
    )
    return found.select(BUCKETS.names()).cast(BUCKETS)


def _figures(expressions: Mapping[str, str], only: Collection[str]) -> str:
    return ", ".join(f"{known if not only or name in only else 'NULL'} AS {name}" for name, known in expressions.items())


def _stored(chosen: Plan, bound: dict[str, Any], wanted: str, only: Collection[str]) -> str:
    """The question for buckets that are stored just so and need no adding up."""
    bound["begin"], bound["end"] = chosen.rollup[0]
    return (
        f"SELECT device_id, parameter, bucket, {_figures(_STORED, only)} FROM rollup_{chosen.level} "
        f"WHERE bucket >= $begin AND bucket < $end{wanted} ORDER BY device_id, parameter, bucket"
    )


def _wanted(bound: dict[str, Any], device_ids: Sequence[int] | None, parameters: Sequence[str] | None) -> str:
    """Conditions as literals a planner can prune by: an IN over a list parameter would reach no file's statistics."""
    found = ""
    for column, values in (("device_id", device_ids), ("parameter", parameters)):
        if values is None:
            continue
        names = [f"{column}_{number}" for number in range(len(values))]
        bound.update(zip(names, values, strict=True))
        found += f" AND {column} IN ({', '.join('$' + name for name in names)})" if names else " AND false"
    return found


def _from_rollup(chosen: Plan, number: int, window: Range, bound: dict[str, Any], wanted: str) -> str:
    bound[f"rollup_begin_{number}"], bound[f"rollup_end_{number}"] = window
    return (
        f"SELECT device_id, parameter, {_BUCKET.format(time='bucket')} AS bucket_us, sum(count) AS count, min(min) AS min, "
        "max(max) AS max, sum(sum) AS sum, arg_min(first, bucket) AS first, arg_max(last, bucket) AS last, sum(covered_s) AS covered_s, "
        f"sum(integral) AS integral, min(bucket) AS part FROM rollup_{chosen.level} s "
        f"WHERE bucket >= $rollup_begin_{number} AND bucket < $rollup_end_{number}{wanted} "
        f"GROUP BY device_id, parameter, {_BUCKET.format(time='s.bucket')}"
    )


def _from_raw(number: int, window: Range, bound: dict[str, Any], wanted: str, asked_end: datetime | None) -> str:
    bound[f"raw_begin_{number}"], bound[f"raw_end_{number}"] = window
    inside = f"ts >= $raw_begin_{number} AND ts < $raw_end_{number}"
    columns = (
        f"SELECT device_id, parameter, {_BUCKET.format(time='ts')} AS bucket_us, count(*) AS count, min(value) AS min, max(value) AS max, "
        "sum(value) AS sum, arg_min(value, ts) AS first, arg_max(value, ts) AS last, "
    )
    grouped = f"GROUP BY device_id, parameter, {_BUCKET.format(time='ts')}"
    if asked_end is None:
        nothing = "NULL::DOUBLE AS covered_s, NULL::DOUBLE AS integral, min(ts) AS part "
        return f"{columns}{nothing}FROM telemetry WHERE {inside}{wanted} AND value IS NOT NULL {grouped}"
    # The line to the next reading, as in `warehouse.summaries`; at the end of the range nobody knows yet how long a reading will count.
    bound[f"read_end_{number}"] = window[1] + LONGEST_HOLD
    bound["asked_end"] = asked_end
    bound["hold_us"] = int(LONGEST_HOLD.total_seconds() * 1e6)
    return (
        f"{columns}sum(held) / 1e6 AS covered_s, sum(held * (CASE WHEN follows THEN (value + next_value) / 2 ELSE value END)) / 1e6 "
        "AS integral, min(ts) AS part FROM (SELECT *, coalesce(next_us - epoch_us(ts) <= $hold_us, false) AS follows, "
        f"least(coalesce(next_us, epoch_us(ts) + $hold_us), epoch_us(ts) + $hold_us, greatest(epoch_us($asked_end), coalesce(next_us, 0))) "
        "- epoch_us(ts) AS held FROM (SELECT device_id, parameter, ts, value, epoch_us(lead(ts) OVER s) AS next_us, "
        f"lead(value) OVER s AS next_value FROM telemetry WHERE ts >= $raw_begin_{number} AND ts < $read_end_{number}{wanted} "
        f"AND value IS NOT NULL WINDOW s AS (PARTITION BY device_id, parameter ORDER BY ts))) WHERE {inside} {grouped}"
    )
