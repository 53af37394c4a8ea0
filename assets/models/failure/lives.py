"""Machine-hours cut into lives, and what is known of the time that was left at each of them.

    work     .....|========|-- life 1 --x=====|---- life 2 ----|==|--- life 3 ---   now
    event       planned              failure (stands, repaired)  planned
    left                    known: 1..0        at least ...          at least (now - t)

A life begins where work on the machine ended and ends with a failure, with the next planned work, or now. Only one that ended in a failure
tells how long a machine lasts; the others tell that it lasted at least so long (censored). Hours during the work are left out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

WORK: Final = ("failure", "repair", "planned")
"""Kinds of events that begin a new life when they end; an inspection changes nothing."""
HOUR: Final = timedelta(hours=1)
LIFE_COLUMNS: Final = ("life", "age_h", "remaining_h", "watched_h")


def cut_into_lives(hours: pl.DataFrame, events: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """Adds `life` (numbered over all machines), `age_h`, `remaining_h`, `watched_h` to machine-hours, sorted by machine and time; pure.

    `hours`: device_id, bucket (begin, UTC) and whatever else; what an hour says is known at its end, so all three count from there.
    `events`: device_id, kind, began_at, ended_at (null: goes on). `remaining_h` is null in lives that did not end in a failure (yet);
    `watched_h`: for how long the machine is known not to have failed. Hours that touch work are dropped. `age_h` counts from the end
    of the last work, or from the machine's first hour.
    """
    for_ever = end + timedelta(days=36_500)
    work = events.filter(pl.col("kind").is_in(WORK), pl.col("began_at") < end).sort("device_id", "began_at")
    spans: dict[int, list[Span]] = {}
    for device_id, kind, began, ended in work.select("device_id", "kind", "began_at", "ended_at").iter_rows():
        _add(spans.setdefault(device_id, []), Span(began, ended or for_ever, kind == "failure"))
    empty = hours.head(0).with_columns(**{name: pl.lit(0.0) for name in LIFE_COLUMNS}).cast({"life": pl.Int64})
    parts = [
        _of_machine(own.sort("bucket"), spans.get(int(str(device_id)), []), end)
        for (device_id,), own in hours.group_by("device_id", maintain_order=True)
    ]
    joined = pl.concat([empty, *parts]).sort("device_id", "bucket")
    return joined.with_columns(life=pl.struct("device_id", "life").rle_id().cast(pl.Int64))


@dataclass(frozen=True)
class Span:
    """Work on a machine."""

    begin: datetime
    end: datetime
    is_failure: bool


def _add(spans: list[Span], new: Span) -> None:
    """Appends work that begins after all others, or joins it with the one that it overlaps."""
    if spans and new.begin <= spans[-1].end:
        last = spans.pop()
        new = Span(last.begin, max(last.end, new.end), last.is_failure or new.is_failure)
    spans.append(new)


def _of_machine(own: pl.DataFrame, spans: list[Span], end: datetime) -> pl.DataFrame:
    begins = [own["bucket"][0], *(span.end for span in spans)]
    untils = [*(span.begin for span in spans), end]
    failed = [*(span.is_failure for span in spans), False]
    kind = own.schema["bucket"]
    # The life of an hour is the number of works that had begun by its end.
    life = pl.Series([span.begin for span in spans], dtype=kind).search_sorted(own["bucket"] + HOUR, side="left") if spans else 0
    lives = pl.DataFrame({"life": range(len(begins)), "_begin": begins, "_until": untils, "_failed": failed}).cast(
        {"life": pl.Int64, "_begin": kind, "_until": kind}
    )
    known_at = pl.col("bucket") + HOUR
    left_h = (pl.col("_until") - known_at).dt.total_seconds() / 3600
    return (
        own.with_columns(life=life)
        .cast({"life": pl.Int64})
        .join(lives, on="life", maintain_order="left")
        .filter(pl.col("bucket") >= pl.col("_begin"), known_at <= pl.col("_until"))
        .with_columns(
            age_h=(known_at - pl.col("_begin")).dt.total_seconds() / 3600,
            remaining_h=pl.when("_failed").then(left_h),
            watched_h=left_h,
        )
        .drop("_begin", "_until", "_failed")
    )
