"""The commands around backups, as people see them."""

from contextlib import closing

from warehouse import backup as backups
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.errors import PermanentError
from warehouse.lake import Lake
from warehouse.safekeeping.databases import revision_of, sqlite_file
from warehouse.settings import Settings


def back_up(settings: Settings, target: str) -> None:
    """Makes a backup and says what it added."""
    with closing(Lake(settings)) as lake:
        done = backups.back_up(settings, lake, target, SystemClock().now())
    print(f"Backup {done.name}: {done.files} files, {_size(done.bytes)}; new {done.new_files} files, {_size(done.new_bytes)}")


def restore(settings: Settings, source: str, name: str) -> None:
    """Restores a backup and says what came back."""
    facts = backups.restore(settings, source, name or None)
    print(f"Restored the backup of {facts['made_at']} to {_where(settings)}: {len(facts['files'])} files, "
          f"{facts['lake_rows']['telemetry']} readings. `factoryops up` starts it.")  # fmt: skip


def verify(settings: Settings, source: str, name: str) -> int:
    """Says what is wrong with a backup; 1 when something is."""
    problems = backups.verify_backup(settings, source, name or None)
    print("\n".join(problems) or "Every file is there and whole.")
    return 1 if problems else 0


def upgrade(settings: Settings, backup_to: str) -> None:
    """Backs up what is there, then migrates the operational database and the lake. Raises PermanentError without a place for the backup."""
    if _is_installed(settings):
        with closing(Lake(settings, upgrade=False)) as old:
            done = backups.back_up(settings, old, backup_to or _usual_place(settings), SystemClock().now())
        print(f"Backup {done.name} before the upgrade: {done.files} files, {_size(done.bytes)}")
    db = Database(settings.operational_url)
    try:
        db.migrate()
    finally:
        db.dispose()
    with closing(Lake(settings)) as lake:
        print(f"Database and lake are of this version; the lake stands at snapshot {lake.snapshot_id()}.")


def _is_installed(settings: Settings) -> bool:
    file = sqlite_file(settings)
    return (file is None or file.exists()) and bool(revision_of(settings))


def _usual_place(settings: Settings) -> str:
    """Where the backup before an upgrade goes when nobody says: a lake of S3 may be larger than the home's disk."""
    if "://" not in settings.lake_files:
        return str(settings.home / "backups")
    if not settings.backup_url:
        message = (
            "an upgrade makes a backup first: say where with --backup-to or BACKUP_URL, a folder or an address such as s3://bucket/prefix"
        )
        raise PermanentError(message)
    return settings.backup_url


def _where(settings: Settings) -> str:
    elsewhere = [
        name for name in ("DATABASE_URL", "LAKE_CATALOG_URL", "LAKE_DATA_PATH", "OBJECT_STORE_URL") if getattr(settings, name.lower())
    ]
    return ", ".join([str(settings.home), *elsewhere])


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB"
