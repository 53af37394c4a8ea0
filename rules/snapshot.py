"""What an evaluator remembers, as bytes beside its cursor, so that another process can go on from there."""

import io
from array import array
from dataclasses import replace
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
import structlog

from rules.engine import RuleState
from rules.memory import Counts, DeviceMemory, Memory, Said, Series, know
from rules.tracks import Entry, Track

FORMAT: Final = 2
REPLAY_WITHOUT_SNAPSHOT: Final = 2_000
"""Batches before the cursor that are looked at when there is no snapshot; values that are older become known when they arrive again."""
MOST_READINGS: Final = 1_000_000
"""About 5 MB. Of more, each series keeps its share of newest readings; older late ones then count as too late after a restart."""
_SERIES: Final = pl.Schema({"series": pl.UInt32(), "device_id": pl.Int32(), "parameter": pl.String(), "complete_from": pl.Int64()})
_READINGS: Final = pl.Schema({"series": pl.UInt32(), "at_us": pl.Int64(), "value": pl.Float64(), "text": pl.String()})
"""In order of the series."""
log = structlog.get_logger()


class _Packed(msgspec.Struct):
    format: int
    position: int
    newest_us: dict[int, int]
    """By device."""
    received_us: int
    counts: dict[str, int]
    offset_us: dict[int, int]
    """By device."""
    rules: dict[int, str]
    """Fingerprints of the rules that were evaluated up to here."""
    tracks: list[tuple[int, int, RuleState, list[Entry], int | None, int, int]]
    series: bytes
    readings: bytes


def pack(memory: Memory, position: int, rules: dict[int, str] | None = None, most_readings: int = MOST_READINGS) -> bytes:
    """`memory` as it stands after the batch at `position`; `rules` are the fingerprints by which they were evaluated until there."""
    found = [(device_id, parameter, series) for device_id, d in memory.devices.items() for parameter, series in d.series.items()]
    total = sum(len(series.times) for _, _, series in found)
    share = max(1, most_readings // max(1, len(found))) if total > most_readings else total
    table: list[tuple[int, int, str, int]] = []
    times, values, lengths = array("q"), list[Said](), list[int]()
    for number, (device_id, parameter, series) in enumerate(found):
        cut = max(0, len(series.times) - share)
        table.append((number, device_id, parameter, series.complete_from if not cut else series.times[cut - 1] + 1))
        times.extend(series.times[cut:] if cut else series.times)
        values.extend(series.values[cut:] if cut else series.values)
        lengths.append(len(series.times) - cut)
    packed = _Packed(
        format=FORMAT,
        position=position,
        newest_us={device_id: device.newest_us for device_id, device in memory.devices.items()},
        received_us=memory.received_us,
        counts={name: getattr(memory.counts, name) for name in Counts.__slots__},
        offset_us={device_id: device.offset_us for device_id, device in memory.devices.items()},
        rules=rules or {},
        tracks=[(*key, t.floor, t.entries, t.wake_us, t.newest_us, t.looked_until_us) for key, t in memory.tracks.items()],
        series=_bytes(pl.DataFrame(table, schema=_SERIES, orient="row")),
        readings=_bytes(_readings(times, values, lengths)),
    )
    return msgspec.msgpack.encode(packed)


def unpack(state: bytes) -> tuple[int, Memory, dict[int, str]]:
    """Position, memory and fingerprints of `pack`. Raises msgspec.DecodeError or ValueError for bytes that are not of this format."""
    packed = msgspec.msgpack.decode(state, type=_Packed)
    if packed.format != FORMAT:
        raise ValueError(f"an evaluator's state of format {packed.format}; this version reads {FORMAT}")
    memory = Memory(counts=Counts(**packed.counts), received_us=packed.received_us)
    for device_id, newest_us in packed.newest_us.items():
        memory.devices[device_id] = DeviceMemory(newest_us=newest_us, offset_us=packed.offset_us.get(device_id, 0))
    readings = _frame(packed.readings)
    times, values, texts = readings["at_us"].to_numpy(), readings["value"].to_list(), readings["text"]
    if texts.null_count() < readings.height:
        values = [value if text is None else text for value, text in zip(values, texts.to_list(), strict=True)]
    table, begin = _frame(packed.series), 0
    ends = np.cumsum(np.bincount(readings["series"].to_numpy(), minlength=table.height)).tolist()
    for (_, device_id, parameter, complete_from), end in zip(table.rows(), ends, strict=True):
        kept = Series(array("q", times[begin:end].tobytes()), values[begin:end], complete_from)
        memory.device(device_id).series[parameter] = kept
        begin = end
    for device in memory.devices.values():
        for parameter, series in device.series.items():
            if series.values:
                know(device.current, parameter, series.values[-1])
    for rule_id, device_id, floor, told, wake_us, newest_us, looked_us in packed.tracks:
        entries = [Entry(entry.at_us, _state(entry.after), entry.events) for entry in told]
        memory.tracks[rule_id, device_id] = Track(_state(floor), entries, wake_us, newest_us, looked_us)
    return packed.position, memory, packed.rules


def remembered(state: bytes | None, cursor: int) -> tuple[int, Memory, dict[int, str]]:
    """Where to replay from, with what and by which rules: the snapshot, or nothing known some way before the cursor."""
    if state is not None:
        try:
            position, memory, rules = unpack(state)
        except (msgspec.MsgspecError, ValueError, TypeError, pl.exceptions.PolarsError) as unreadable:
            log.warning("evaluator_snapshot_unreadable", reason=str(unreadable), cursor=cursor)
        else:
            if position <= cursor:
                return position, memory, rules
    return max(0, cursor - REPLAY_WITHOUT_SNAPSHOT), Memory(), {}


def _readings(times: "array[int]", values: list[Said], lengths: list[int]) -> pl.DataFrame:
    """Rows of _READINGS, series by series; a million of them in a tenth of a second, during which no rule is evaluated."""
    numbers = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths)
    moments = pl.Series("at_us", np.array(times, np.int64))
    if set(map(type, values)) <= {float}:
        said, texts = pl.Series("value", np.array(values, np.float64)), pl.repeat(None, len(values), dtype=pl.String, eager=True)
    else:
        said = pl.Series("value", [None if isinstance(value, str) else value for value in values], pl.Float64)
        texts = pl.Series("text", [value if isinstance(value, str) else None for value in values], pl.String)
    return pl.DataFrame([pl.Series("series", numbers), moments, said, texts.alias("text")], schema=_READINGS)


def _state(found: RuleState) -> RuleState:
    """With tuples where msgpack has lists."""
    return replace(found, nodes=_tuples(found.nodes), clear_nodes=_tuples(found.clear_nodes))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()


def _frame(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
