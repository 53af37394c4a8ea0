"""Backup and restore of an installation: lake, operational database, files and secrets, consistent while everything runs.

    TARGET/objects/<sha256>          every content once, by what is in it: a later backup adds only what is new
    TARGET/backups/<moment>.json     one backup: what of the installation is which object; written last, so half a backup is none

Order is what makes it consistent: (1) both databases as of one moment (`safekeeping.databases`); (2) the data files that this catalog
names, which never change and stay for a day after they were replaced; (3) files, of which the database names only what was there.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from warehouse.errors import RetryableError
from warehouse.lake import Lake
from warehouse.objects import store_errors
from warehouse.safekeeping import restoring
from warehouse.safekeeping.databases import keep_databases, problems_of
from warehouse.safekeeping.files import keep_files, keep_home, keep_lake_files
from warehouse.safekeeping.store import BackupStore, Draft
from warehouse.settings import Settings

_TRIES: Final = 3
log = structlog.get_logger()


@dataclass(frozen=True)
class BackupResult:
    """What one backup holds, and what it added to the target."""

    name: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int


def back_up(settings: Settings, lake: Lake, target: str, now: datetime) -> BackupResult:
    """Writes a backup of everything to `target`, a folder or fsspec address. Safe to kill: what is there already is used next time.

    Raises PermanentError when the lake lacks files, LakeBusyError, RetryableError while a database or a store is away.
    """
    name = now.strftime("%Y%m%dT%H%M%SZ")
    with _away_is_retryable(settings, target), tempfile.TemporaryDirectory(prefix="factoryops-backup-") as folder:
        store = BackupStore(settings, target)
        draft = Draft(store, Path(folder))
        # The catalog may get a table and lose one between the list of its tables and their rows.
        again = Retrying(retry=retry_if_exception_type(psycopg.errors.UndefinedTable), stop=stop_after_attempt(_TRIES), reraise=True)
        facts = again(keep_databases, settings, lake, draft)
        keep_lake_files(settings, facts.pop("data_files"), draft)
        keep_files(settings, draft, store.root)
        keep_home(settings, draft)
        # What programs from before PostgreSQL's tables can restore says so.
        number = 2 if "database" in facts or "catalog" in facts else 1
        facts |= {"format": number, "made_at": now.isoformat(), "files": dict(sorted(draft.entries.items()))}
        store.write_manifest(name, facts)
    size = sum(int(entry["bytes"]) for entry in draft.entries.values())
    done = BackupResult(name, len(draft.entries), size, draft.new_files, draft.new_bytes)
    log.info("backup_made", name=name, files=done.files, new_files=done.new_files, new_bytes=done.new_bytes)
    return done


def list_backups(settings: Settings, target: str) -> list[str]:
    """Names of the complete backups in `target`, oldest first."""
    return BackupStore(settings, target).names()


def verify_backup(settings: Settings, target: str, name: str | None = None) -> list[str]:
    """Reads every file of a backup (the newest without `name`) and says what is wrong with it; empty when it can be restored."""
    with _away_is_retryable(settings, target), tempfile.TemporaryDirectory(prefix="factoryops-verify-") as folder:
        store = BackupStore(settings, target)
        manifest = store.manifest(name)
        files = manifest["files"]
        problems = [problem for place, entry in files.items() if (problem := store.problem_of(place, entry))]
        return problems or problems_of(
            manifest,
            lambda place: store.read(files[place]["sha256"]),
            Path(folder),
            lambda place, path: store.fetch(place, files[place], path),
        )


def restore(settings: Settings, source: str, name: str | None = None) -> dict[str, Any]:
    """Puts a backup (the newest without `name`) into an empty installation and returns its facts.

    A restore that was killed is simply run again. Raises PermanentError when something is there already or a file is damaged.
    """
    with _away_is_retryable(settings, source):
        return restoring.restore(settings, BackupStore(settings, source), name)


@contextmanager
def _away_is_retryable(settings: Settings, target: str) -> Iterator[None]:
    """A store or database that does not answer is one to come back to."""
    addresses = (settings.lake_files, settings.files_url, target)
    away: tuple[type[Exception], ...] = (psycopg.OperationalError, *(error for address in addresses for error in store_errors(address)))
    try:
        yield
    except away as failed:
        raise RetryableError(f"the backup was not finished: {failed}. Run it again: what is done stays", target=target) from failed
