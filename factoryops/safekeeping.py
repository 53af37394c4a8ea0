"""The commands around backups, as people see them."""

from contextlib import closing

from warehouse import backup as backups
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.settings import Settings


def back_up(settings: Settings, target: str) -> None:
    """Makes a backup and says what it added."""
    with closing(Lake(settings)) as lake:
        done = backups.back_up(settings, lake, target, SystemClock().now())
    print(f"Backup {done.name}: {done.files} files, {_size(done.bytes)}; new {done.new_files} files, {_size(done.new_bytes)}")


def restore(settings: Settings, source: str, name: str) -> None:
    """Restores a backup and says what came back."""
    facts = backups.restore(settings, source, name or None)
    print(f"Restored the backup of {facts['made_at']} to {settings.home}: {len(facts['files'])} files, "
          f"{facts['lake_rows']['telemetry']} readings. `factoryops up` starts it.")  # fmt: skip


def verify(settings: Settings, source: str, name: str) -> int:
    """Says what is wrong with a backup; 1 when something is."""
    problems = backups.verify_backup(settings, source, name or None)
    print("\n".join(problems) or "Every file is there and whole.")
    return 1 if problems else 0


def upgrade(settings: Settings, backup_to: str) -> None:
    """Backs up, then migrates the operational database and the lake."""
    if (settings.home / backups.DATABASE).exists() and not settings.database_url:
        with closing(Lake(settings, upgrade=False)) as old:
            done = backups.back_up(settings, old, backup_to or str(settings.home / "backups"), SystemClock().now())
        print(f"Backup {done.name} before the upgrade: {done.files} files, {_size(done.bytes)}")
    db = Database(settings.operational_url)
    try:
        db.migrate()
    finally:
        db.dispose()
    with closing(Lake(settings)) as lake:
        print(f"Database and lake are of this version; the lake stands at snapshot {lake.snapshot_id()}.")


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB"
