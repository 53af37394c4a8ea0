"""What an evaluator remembers, as bytes beside its cursor, so that another process can go on from there."""

import io
from typing import Final

import msgspec
import polars as pl

from rules.memory import Counts, DeviceMemory, Memory, Series

FORMAT: Final = 1
MOST_READINGS: Final = 200_000
"""About 1 MB. Of more, each series keeps its share of newest readings; older late ones then count as too late after a restart."""
_SERIES: Final = pl.Schema({"series": pl.UInt32(), "device_id": pl.Int32(), "parameter": pl.String(), "complete_from": pl.Int64()})
_READINGS: Final = pl.Schema({"series": pl.UInt32(), "at_us": pl.Int64(), "value": pl.Float64()})


class _Packed(msgspec.Struct):
    format: int
    position: int
    newest_us: dict[int, int]
    """By device."""
    received_us: int
    counts: dict[str, int]
    series: bytes
    readings: bytes


def pack(memory: Memory, position: int, most_readings: int = MOST_READINGS) -> bytes:
    """The readings of `memory` as it stands after the batch at `position`. Rule states are left out: the alerts table holds them."""
    found = [(device_id, parameter, series) for device_id, d in memory.devices.items() for parameter, series in d.series.items()]
    total = sum(len(series.times) for _, _, series in found)
    share = max(1, most_readings // max(1, len(found))) if total > most_readings else total
    table: list[tuple[int, int, str, int]] = []
    rows: tuple[list[int], list[int], list[float | None]] = ([], [], [])
    for number, (device_id, parameter, series) in enumerate(found):
        cut = max(0, len(series.times) - share)
        table.append((number, device_id, parameter, series.complete_from if not cut else series.times[cut - 1] + 1))
        rows[0].extend([number] * (len(series.times) - cut))
        rows[1].extend(series.times[cut:])
        rows[2].extend(series.values[cut:])
    packed = _Packed(
        format=FORMAT,
        position=position,
        newest_us={device_id: device.newest_us for device_id, device in memory.devices.items()},
        received_us=memory.received_us,
        counts={name: getattr(memory.counts, name) for name in Counts.__slots__},
        series=_bytes(pl.DataFrame(table, schema=_SERIES, orient="row")),
        readings=_bytes(pl.DataFrame(dict(zip(_READINGS, rows, strict=True)), schema=_READINGS)),
    )
    return msgspec.msgpack.encode(packed)


def unpack(state: bytes) -> tuple[int, Memory]:
    """The position and memory of `pack`. Raises msgspec.DecodeError or ValueError for bytes that are not of this format."""
    packed = msgspec.msgpack.decode(state, type=_Packed)
    if packed.format != FORMAT:
        raise ValueError(f"an evaluator's state of format {packed.format}; this version reads {FORMAT}")
    memory = Memory(counts=Counts(**packed.counts), received_us=packed.received_us)
    for device_id, newest_us in packed.newest_us.items():
        memory.devices[device_id] = DeviceMemory(newest_us=newest_us)
    by_number: dict[int, Series] = {}
    for number, device_id, parameter, complete_from in _frame(packed.series).rows():
        by_number[number] = memory.device(device_id).series.setdefault(parameter, Series(complete_from=complete_from))
    for number, at_us, value in _frame(packed.readings).rows():
        by_number[number].times.append(at_us)
        by_number[number].values.append(value)
    for device in memory.devices.values():
        device.current = {p: series.values[-1] for p, series in device.series.items() if series.values and series.values[-1] is not None}
    return packed.position, memory


def _bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()


def _frame(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
