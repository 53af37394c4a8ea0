"""One operational database a process: sensor ticks come and go, their connections stay."""

import threading

from warehouse.db import Database
from warehouse.settings import Settings

_databases: dict[str, Database] = {}
_guard = threading.Lock()


def shared_database(settings: Settings) -> Database:
    """The database of `settings`, opened once in this process."""
    with _guard:
        found = _databases.get(settings.operational_url)
        if found is None:
            found = _databases[settings.operational_url] = Database(settings.operational_url)
        return found
