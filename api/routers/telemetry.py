"""Readings in bulk, and values and alerts as they come, of the caller's factory."""

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import pyarrow.parquet as pq
from fastapi import Header, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from api.dependencies import Inst, Who, still_allowed
from api.live_events import Watch, stream
from api.routing import Router
from api.schemas.common import MomentIn
from warehouse.queries.export import EXPORT, keys_of_devices, readings
from warehouse.queries.live import find_device

router = Router(tags=["telemetry"])
ManyIds = Annotated[list[Annotated[int, Query(ge=1, le=2**31 - 1)]], Query(max_length=500)]
ManyKeys = Annotated[list[Annotated[str, Query(min_length=1, max_length=100)]], Query(max_length=100)]
PARQUET = "application/vnd.apache.parquet"
LONGEST_STREAM_S = 900


@router.get(
    "/telemetry/export",
    operation_id="exportTelemetry",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}, PARQUET: {"schema": {"type": "string", "format": "binary"}}}}},
)
def export_telemetry(
    who: Who,
    inst: Inst,
    start: MomentIn,
    end: MomentIn,
    device_id: ManyIds = [],  # noqa: B006  # FastAPI copies it
    parameter: ManyKeys = [],  # noqa: B006  # as above
    format: Literal["csv", "parquet"] = "csv",  # noqa: A002  # its name in the address
) -> Response:
    """Every reading of [start, end), at most 92 days, as a file: all machines and parameters, or those named (repeat the parameter).

    Columns: ts (device time), device_id, device_key, parameter, value, text, received_at.
    """
    devices = keys_of_devices(inst.db, who.factory_id, device_id)
    pieces = readings(inst.lake, who.factory_id, devices, parameter, start, end)
    # Asked before the answer begins: while the lake is away there is a 503 instead of half a file.
    first = next(pieces)
    name = f"telemetry_{start:%Y%m%dT%H%M%SZ}_{end:%Y%m%dT%H%M%SZ}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    if format == "csv":
        return StreamingResponse(_csv(chain([first], pieces)), media_type="text/csv; charset=utf-8", headers=headers)
    path = _parquet(chain([first], pieces))
    return FileResponse(path, media_type=PARQUET, headers=headers, background=BackgroundTask(path.unlink))


@router.get(
    "/events",
    operation_id="streamEvents",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_events(
    request: Request,
    who: Who,
    inst: Inst,
    device_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    duration_s: Annotated[int, Query(ge=1, le=LONGEST_STREAM_S)] = LONGEST_STREAM_S,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=2**63 - 1)] = None,
) -> StreamingResponse:
    """Server-sent events, within a second or two: `values` (a machine and its parameters that moved) and `alert` (what happened to one).

    The first `values` say how everything is now. The stream ends after `duration_s`, and with the sign-in; a browser's EventSource comes
    back by itself, and its Last-Event-ID makes up for alerts that it missed.
    """
    if device_id is not None:
        find_device(inst.db, who.factory_id, device_id=device_id)
    watch = Watch(inst, who, device_id, last_event_id, lambda: still_allowed(inst, who))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(watch, duration_s, request.is_disconnected), media_type="text/event-stream", headers=headers)


def _csv(pieces: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    yield (",".join(EXPORT.names()) + "\n").encode()
    for piece in pieces:
        yield piece.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode()


def _parquet(pieces: Iterator[pl.DataFrame]) -> Path:
    with tempfile.NamedTemporaryFile(prefix="factoryops-export-", suffix=".parquet", delete=False) as file:
        path = Path(file.name)
    try:
        with pq.ParquetWriter(path, pl.DataFrame(schema=EXPORT).to_arrow().schema, compression="zstd") as writer:
            for piece in pieces:
                writer.write_table(piece.to_arrow())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
