"""Where DuckDB's extensions are (in wheels, so that nothing is downloaded at run time), and what the one for S3 must be told."""

import importlib.util
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from warehouse.errors import LakeBusyError
from warehouse.settings import Settings

EXTENSIONS_AS_INSTALLED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # pip checked the wheels against requirements.lock. DuckDB's own check reads each file whole at every start: 0.4 s of CPU for ours.
    # Connections for people forbid LOAD altogether.
    "allow_unsigned_extensions": "true",
}
"""How every connection is configured."""


def extension_file(name: str) -> Path:
    """The file of a DuckDB extension inside its wheel: nothing is downloaded, nothing is copied to the home folder."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        message = f"the package duckdb-extension-{name.replace('_', '-')} is not installed; run `make setup`"
        raise LakeBusyError(message, extension=name)
    return next(Path(found.origin).parent.glob(f"extensions/*/{name}.duckdb_extension"))


def s3_secret(settings: Settings) -> str:
    """The statement that tells DuckDB how to reach the bucket."""
    facts = {"KEY_ID": settings.s3_access_key_id, "SECRET": settings.s3_secret_access_key.get_secret_value(), "REGION": settings.s3_region}
    where = urlsplit(settings.s3_endpoint_url)
    if where.netloc:
        # Stores of one's own seldom have a host name for each bucket.
        facts |= {"ENDPOINT": where.netloc, "URL_STYLE": "path", "USE_SSL": str(where.scheme != "http").lower()}
    told = ", ".join(f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in facts.items())
    return f"CREATE SECRET lake_files (TYPE s3, {told})"
