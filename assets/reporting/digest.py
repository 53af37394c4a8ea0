"""SHA-256 of data, the same wherever and whenever the same values are; pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import polars as pl


def sha256(content: bytes) -> str:
    """The digest in hex."""
    return hashlib.sha256(content).hexdigest()


def frame_digest(frame: pl.DataFrame) -> str:
    """Digest of a frame's names and values as CSV: does not depend on how a library lays frames out in memory or files."""
    lists = [name for name, kind in frame.schema.items() if kind.base_type() is pl.List]
    flat = frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join(" ") for name in lists)
    return sha256(flat.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode())


def digest_of(digests: Mapping[str, str]) -> str:
    """One digest over named digests."""
    return sha256(canonical(dict(digests)))


def canonical(value: Any) -> bytes:
    """JSON in one way only: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
