"""How far the writers of the lake have come: positions in a table of the lake, moved in the transaction that writes the rows."""

from typing import Final

import duckdb

from warehouse.errors import BackfilledError, LeaseLostError
from warehouse.tables import LAKE, LOADER_PROGRESS

BACKFILL: Final = "backfill"
"""The shard under which history files count their transactions: whoever remembers what the lake holds must forget it when one came."""


def position_of(cursor: duckdb.DuckDBPyConnection, shard: str) -> int:
    """How far a shard has come; 0 when it never ran."""
    found = cursor.execute(f"SELECT max(position) FROM {LAKE}.{LOADER_PROGRESS} WHERE shard = ?", [shard]).fetchall()
    return int(found[0][0] or 0)


def require_positions(cursor: duckdb.DuckDBPyConnection, shard: str, expected: int, backfills: int | None) -> None:
    """Raises LeaseLostError when the shard does not stand at `expected`, BackfilledError when there were not so many `backfills`."""
    found = dict(cursor.execute(f"SELECT shard, max(position) FROM {LAKE}.{LOADER_PROGRESS} GROUP BY shard").fetchall())
    position = int(found.get(shard) or 0)
    if position != expected:
        message = f"the loader's cursor of shard {shard} stands at {position} and not at {expected}: another loader moved it"
        raise LeaseLostError(message, shard=shard, expected_position=expected)
    if backfills is not None and int(found.get(BACKFILL) or 0) != backfills:
        raise BackfilledError("a history file was added to the lake meanwhile: look again for what is there already")
