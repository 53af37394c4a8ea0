"""`factoryops migrate-storage`, as people see it."""

from rich.console import Console

from factoryops.up import only_one
from warehouse.clock import SystemClock
from warehouse.outgrow.move import migrate_storage
from warehouse.settings import Settings


def run(settings: Settings) -> None:
    """Moves everything while no `up` can start, and says what stands where now."""
    console = Console(highlight=False, soft_wrap=True)
    with only_one(settings.home):
        done = migrate_storage(settings, SystemClock().now(), lambda line: console.print(f"  {line}", markup=False))
    rows = sum(table.rows for table in done.tables)
    lake_rows = sum(partition.rows for partition in done.lake)
    console.print(
        f"Moved and compared by count and checksum: {len(done.tables)} tables ({rows:,} rows); lake: {lake_rows:,} rows in "
        f"{len(done.lake)} partitions and {done.lake_files.files:,} files ({done.lake_files.bytes / 1e6:,.1f} MB); "
        f"{done.files.files:,} files of reports and analyses."
    )
    console.print(
        f"Start FactoryOps with these settings. The old data stay in {settings.home} (factoryops.sqlite, lake, files): delete them when "
        "the new installation has proved itself. The folder itself is still needed for secrets and keys."
    )
