"""What an evaluator remembers, as bytes beside its cursor, so that another process can go on from there."""

import io
from dataclasses import replace
from typing import Any, Final

import msgspec
import polars as pl

from rules.engine import RuleState
from rules.memory import Counts, DeviceMemory, Memory, Series, know
from rules.tracks import Entry, Track

FORMAT: Final = 2
MOST_READINGS: Final = 1_000_000
"""About 5 MB. Of more, each series keeps its share of newest readings; older late ones then count as too late after a restart."""
_SERIES: Final = pl.Schema({"series": pl.UInt32(), "device_id": pl.Int32(), "parameter": pl.String(), "complete_from": pl.Int64()})
_READINGS: Final = pl.Schema({"series": pl.UInt32(), "at_us": pl.Int64(), "value": pl.Float64(), "text": pl.String()})


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
    numbers: list[int] = []
    times: list[int] = []
    values: list[float | None] = []
    texts: list[str | None] = []
    for number, (device_id, parameter, series) in enumerate(found):
        cut = max(0, len(series.times) - share)
        table.append((number, device_id, parameter, series.complete_from if not cut else series.times[cut - 1] + 1))
        numbers.extend([number] * (len(series.times) - cut))
        times.extend(series.times[cut:])
        kept = series.values[cut:]
        values.extend(None if isinstance(value, str) else value for value in kept)
        texts.extend(value if isinstance(value, str) else None for value in kept)
    rows = dict(zip(_READINGS, (numbers, times, values, texts), strict=True))
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
        readings=_bytes(pl.DataFrame(rows, schema=_READINGS)),
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
    by_number: dict[int, Series] = {}
    for number, device_id, parameter, complete_from in _frame(packed.series).rows():
        by_number[number] = memory.device(device_id).series.setdefault(parameter, Series(complete_from=complete_from))
    for number, at_us, value, text in _frame(packed.readings).rows():
        by_number[number].times.append(at_us)
        by_number[number].values.append(value if text is None else text)
    for device in memory.devices.values():
        for parameter, series in device.series.items():
            if series.values:
                know(device.current, parameter, series.values[-1])
    for rule_id, device_id, floor, entries, wake_us, newest_us, looked_us in packed.tracks:
        kept = [Entry(entry.at_us, _state(entry.after), entry.events) for entry in entries]
        memory.tracks[rule_id, device_id] = Track(_state(floor), kept, wake_us, newest_us, looked_us)
    return packed.position, memory, packed.rules


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
