"""For notebooks and engineers: `from factoryops.notebook import connect`, then `connect("vpc").sql("FROM telemetry LIMIT 5")`."""

from pathlib import Path

from warehouse.direct import connect as _connect
from warehouse.own_tables import FactoryTables
from warehouse.settings import Settings


def connect(factory: str, home: str | Path | None = None) -> FactoryTables:
    """Read-only SQL on the tables of one factory (its slug); see `warehouse.direct.connect`."""
    return _connect(factory, Settings.load(**({"factoryops_home": Path(home)} if home else {})))
