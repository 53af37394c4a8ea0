"""What batch sources bring, materialised with the source as run configuration. The commands `backfill` and `import` do the same.

dlt takes 2 s to import: only a run that needs it does.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from warehouse.errors import NotFoundError
from warehouse.factories import factory_zones
from warehouse.installation import Installation

GROUP = "imports"
MOST_PROBLEMS = 20


class HistoryConfig(dg.Config):
    """A history file; see `factoryops backfill --help`."""

    factory: str
    file: str
    format: str = ""
    device: str = ""
    time_column: str = ""
    device_column: str = ""
    parameter_column: str = ""
    value_column: str = ""
    timezone: str = ""
    time_format: str = ""
    decimal: str = "."
    precision: str = "ns"
    rejected_file: str = ""
    dry_run: bool = False


class SourceConfig(dg.Config):
    """A CSV or Excel file, a database with a table, or a REST endpoint; see `factoryops import --help`."""

    factory: str
    location: str
    table: str = ""
    selector: str = ""
    header_file: str = ""
    columns: dict[str, str] = {}  # noqa: RUF012  # pydantic copies it
    dry_run: bool = False


@dg.asset(
    group_name=GROUP, kinds={"dlt", "ducklake"},
    description="Readings from a history file (CSV, Parquet, InfluxDB line protocol), each once, with their hours marked for the rollups.",
)  # fmt: skip
def history_readings(config: HistoryConfig, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """Twice is the same as once."""
    from ingest.sources.backfill import backfill
    from ingest.sources.history import HistoryFile
    from ingest.sources.layouts import Columns

    factory_id, zone = _factory(installation, config.factory)
    columns = Columns(config.time_column, config.device_column, config.parameter_column, config.value_column)
    file = HistoryFile(Path(config.file), config.format, config.device, columns, config.timezone or zone, config.time_format,
                       config.decimal, config.precision)  # fmt: skip
    report = Path(config.rejected_file) if config.rejected_file else None
    done = backfill(installation, factory_id, file, dry_run=config.dry_run, report=report)
    counts = {"rows": done.rows, "added": done.added, "present": done.present, "repeated": done.repeated}
    return dg.MaterializeResult(metadata=counts | {"rejected": done.rejected, "unknown_devices": done.unknown_devices})


@dg.asset(group_name=GROUP, kinds={"dlt"}, description="Work orders and failures of machines from a maintenance system.")
def maintenance_events(config: SourceConfig, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """What changed at the source changes here."""
    from ingest.sources.maintenance import import_maintenance

    return _imported(import_maintenance, config, installation)


@dg.asset(group_name=GROUP, kinds={"dlt"}, description="Machines from a list: new ones registered, known ones changed, none deleted.")
def devices(config: SourceConfig, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """An empty cell leaves what the machine has."""
    from ingest.sources.devices import import_devices

    return _imported(import_devices, config, installation)


@dg.asset(group_name=GROUP, kinds={"dlt"}, description="A factory's time-of-use tariff and its grid's emission factor.")
def tariffs(config: SourceConfig, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """All or nothing."""
    from ingest.sources.tariffs import import_tariff

    factory_id, _ = _factory(installation, config.factory)
    found = import_tariff(installation, factory_id, _source(config), config.columns, dry_run=config.dry_run)
    return dg.MaterializeResult(metadata={"bands": len(found.bands), "currency": found.currency, "otherwise": found.otherwise})


def _imported(take: Any, config: SourceConfig, installation: Installation) -> dg.MaterializeResult:
    factory_id, _ = _factory(installation, config.factory)
    done = take(installation, factory_id, _source(config), config.columns, dry_run=config.dry_run)
    counts = {"rows": done.rows, "added": done.added, "changed": done.changed, "unchanged": done.unchanged, "refused": len(done.problems)}
    problems = [f"row {line}: {problem}" for line, problem in done.problems[:MOST_PROBLEMS]]
    return dg.MaterializeResult(metadata=counts | {"problems": problems})


def _source(config: SourceConfig) -> Any:
    from ingest.sources.rows import RowSource, headers_in

    headers = headers_in(Path(config.header_file)) if config.header_file else {}
    return RowSource(config.location, config.table, config.selector, headers)


def _factory(installation: Installation, slug: str) -> tuple[int, str]:
    found = {known: (factory_id, zone) for factory_id, (known, zone) in factory_zones(installation.db).items()}
    if slug not in found:
        raise NotFoundError(f"there is no factory {slug!r}; known: {', '.join(found) or 'none'}", noun="factory", key=slug)
    return found[slug]


defs = dg.Definitions(assets=[history_readings, maintenance_events, devices, tariffs])
