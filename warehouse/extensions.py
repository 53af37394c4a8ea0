"""Where DuckDB's extensions are: in wheels, so that nothing is downloaded at run time."""

import importlib.util
from pathlib import Path

from warehouse.errors import LakeBusyError


def extension_file(name: str) -> Path:
    """The file of a DuckDB extension inside its wheel: nothing is downloaded, nothing is copied to the home folder."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        message = f"the package duckdb-extension-{name.replace('_', '-')} is not installed; run `make setup`"
        raise LakeBusyError(message, extension=name)
    return next(Path(found.origin).parent.glob(f"extensions/*/{name}.duckdb_extension"))
