"""Readings as they travel through the house, and the one rule about which of them are new.

device time ->   complete_from        watermark
------------------|------------------------|------------>
 "late": ask the  |  known exactly: a      |  newer than all that
 lake, or count   |  reading is new unless |  is known: always new
 as too late      |  its key is remembered |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

UTC_TIME: Final = pl.Datetime("us", "UTC")
READINGS: Final = pl.Schema(
    {
        "factory_id": pl.Int32(),
        "device_id": pl.Int32(),
        "parameter": pl.String(),
        "ts": UTC_TIME,
        "value": pl.Float64(),
        "text": pl.String(),
        "received_at": UTC_TIME,
    }
)
KEY: Final = ["device_id", "parameter", "ts"]
SMALL_CHUNK_ROWS: Final = 20_000
WATERMARKS: Final = pl.Schema({"device_id": pl.Int32(), "watermark": UTC_TIME, "complete_from": UTC_TIME})


def empty_readings() -> pl.DataFrame:
    """A frame of no readings with the right columns."""
    return pl.DataFrame(schema=READINGS)


@dataclass(frozen=True)
class Remembered:
    """Keys that arrived together."""

    keys: pl.DataFrame
    """Columns device_id, parameter, ts."""
    received_at: datetime
    """When the first of them arrived."""


@dataclass(frozen=True)
class DeduplicationState:
    """What is known of each device; plain data. Made by `unknown` and `learn`, moved on by `deduplicate` only."""

    watermarks: pl.DataFrame
    """One row a device: its newest known device time, and from when on `recent` holds every key."""
    recent: tuple[Remembered, ...] = ()
    """In the order of arrival, oldest first."""

    @property
    def devices(self) -> frozenset[int]:
        """The devices of which something is known."""
        return frozenset(self.watermarks["device_id"].to_list())

    @property
    def remembered_rows(self) -> int:
        """How many keys are held in memory."""
        return sum(chunk.keys.height for chunk in self.recent)


@dataclass(frozen=True)
class Window:
    """How much is remembered; whichever bound comes first."""

    device_time: timedelta = timedelta(minutes=2)
    """Keys this far behind their device's watermark may be forgotten: the allowed lateness."""
    receive_time: timedelta = timedelta(minutes=20)
    """Keys that arrived this long ago may be forgotten: a device that fell silent must not hold all others in memory."""
    most_rows: int = 4_000_000


@dataclass(frozen=True)
class Deduplicated:
    """What `deduplicate` found in one batch."""

    fresh: pl.DataFrame
    """READINGS that were never seen before, in the order of arrival."""
    late: pl.DataFrame
    """READINGS older than what is remembered: only the lake can tell whether they are new."""
    repeated_rows: int
    """Readings that were dropped as repeats."""
    state: DeduplicationState


def unknown() -> DeduplicationState:
    """A state that knows no device: use `learn` before a device's first batch, or its readings count as always new."""
    return DeduplicationState(pl.DataFrame(schema=WATERMARKS))


def learn(state: DeduplicationState, watermarks: pl.DataFrame, keys: pl.DataFrame, received_at: datetime) -> DeduplicationState:
    """Adds what storage knows of further devices.

    `watermarks`: WATERMARKS rows of devices that the state does not know yet; the watermark may be too high, never too low.
    `keys`: every stored (device_id, parameter, ts) of them with ts >= complete_from. They count as received at `received_at`.
    """
    recent = (*state.recent, Remembered(keys.select(KEY), received_at)) if keys.height else state.recent
    return DeduplicationState(pl.concat([state.watermarks, watermarks.select(WATERMARKS.names()).cast(WATERMARKS)]), recent)


def deduplicate(state: DeduplicationState, batch: pl.DataFrame, window: Window = Window()) -> Deduplicated:
    """Splits a batch of READINGS into new ones, ones too old to tell, and repeats; pure.

    A reading is its key (device, parameter, device time): the first one wins, also within the batch. A device without a
    watermark is new: all its readings are. What `window` lets go of moves `complete_from` up, so the answer stays right:
    older readings then count as late instead of being known.
    """
    if not batch.height:
        return Deduplicated(batch, batch, 0, state)
    unique = batch.unique(KEY, keep="first", maintain_order=True)
    marked = unique.select(KEY).join(state.watermarks, on="device_id", how="left", maintain_order="left")
    newer = marked["watermark"].is_null() | (marked["ts"] > marked["watermark"])
    is_late = ~newer & (marked["ts"] < marked["complete_from"]).fill_null(value=False)
    fresh, late = unique.filter(~is_late), unique.filter(is_late)
    if not (newer | is_late).all():
        fresh = _unknown_keys(fresh, state.recent)
    watermarks = _moved_watermarks(state.watermarks, fresh, window.device_time)
    received_at = batch["received_at"].max() or epoch()
    recent = _remember(state.recent, fresh.select(KEY), received_at, window)  # type: ignore[arg-type]  # a datetime column's maximum
    recent, watermarks = _forget(recent, watermarks, received_at, window)  # type: ignore[arg-type]  # a datetime, as above
    return Deduplicated(fresh, late, batch.height - fresh.height - late.height, DeduplicationState(watermarks, recent))


def _unknown_keys(rows: pl.DataFrame, recent: Iterable[Remembered]) -> pl.DataFrame:
    """The rows whose key is not remembered."""
    first, last = rows["ts"].min(), rows["ts"].max()
    for chunk in recent:
        # Most chunks do not overlap the batch in time at all: comparing bounds is cheaper than a join.
        near = chunk.keys.filter(pl.col("ts").is_between(first, last))
        if near.height:
            rows = rows.join(near, on=KEY, how="anti", maintain_order="left")
    return rows


def _moved_watermarks(watermarks: pl.DataFrame, fresh: pl.DataFrame, lateness: timedelta) -> pl.DataFrame:
    newest = fresh.group_by("device_id").agg(pl.col("ts").max().alias("newest"), pl.col("ts").min().alias("oldest"))
    joined = watermarks.join(newest, on="device_id", how="full", coalesce=True)
    # A device that was unknown has nothing stored, so all of it is known from before its first reading on.
    first_known = pl.min_horizontal("oldest", pl.col("newest") - lateness)
    return joined.select(
        "device_id",
        pl.max_horizontal("watermark", "newest").alias("watermark"),
        pl.coalesce("complete_from", first_known).alias("complete_from"),
    ).cast(WATERMARKS)


def _remember(recent: tuple[Remembered, ...], keys: pl.DataFrame, received_at: datetime, window: Window) -> tuple[Remembered, ...]:
    """Adds keys; small neighbours are merged, because each chunk costs a comparison in every batch with repeats."""
    if not keys.height:
        return recent
    if recent and recent[-1].keys.height < SMALL_CHUNK_ROWS and received_at - recent[-1].received_at < window.device_time / 8:
        return (*recent[:-1], Remembered(pl.concat([recent[-1].keys, keys]), recent[-1].received_at))
    return (*recent, Remembered(keys, received_at))


def _forget(
    recent: tuple[Remembered, ...], watermarks: pl.DataFrame, now: datetime, window: Window
) -> tuple[tuple[Remembered, ...], pl.DataFrame]:
    """Drops the oldest chunks that the window does not ask for, and moves `complete_from` past what was in them."""
    rows, dropped = sum(chunk.keys.height for chunk in recent), 0
    for chunk in recent[:-1]:
        if not (rows > window.most_rows or now - chunk.received_at > window.receive_time or _behind(chunk.keys, watermarks, window)):
            break
        rows -= chunk.keys.height
        dropped += 1
    if not dropped:
        return recent, watermarks
    gone = pl.concat([chunk.keys for chunk in recent[:dropped]])
    passed = gone.group_by("device_id").agg((pl.col("ts").max() + timedelta(microseconds=1)).alias("passed"))
    moved = watermarks.join(passed, on="device_id", how="left", maintain_order="left").select(
        "device_id", "watermark", pl.max_horizontal("complete_from", "passed").alias("complete_from")
    )
    return recent[dropped:], moved.cast(WATERMARKS)


def _behind(keys: pl.DataFrame, watermarks: pl.DataFrame, window: Window) -> bool:
    """True when every key is further behind its device's watermark than the allowed lateness."""
    newest = keys.group_by("device_id").agg(pl.col("ts").max())
    return newest.join(watermarks, on="device_id").select((pl.col("ts") < pl.col("watermark") - window.device_time).all()).item() is True


def epoch() -> datetime:
    """The oldest moment that any reading may have."""
    return datetime(1970, 1, 1, tzinfo=UTC)
