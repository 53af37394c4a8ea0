"""For notebooks and engineers: `from factoryops.notebook import connect`, then `connect("vpc").sql("FROM telemetry LIMIT 5")`."""

from pathlib import Path

import duckdb

from warehouse.direct import connect as _connect
from warehouse.settings import Settings


def connect(factory: str, home: str | Path | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection with the tables of one factory (its slug); see `warehouse.direct.connect`."""
    return _connect(factory, Settings.load(**({"factoryops_home": Path(home)} if home else {})))
