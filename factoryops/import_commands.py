"""`factoryops backfill` and `factoryops import ...`: history files, maintenance systems, lists of machines, tariffs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from factoryops.at_home import FactorySlug, Home, factory_id_of, opened
from warehouse.errors import InvalidInputError

app = typer.Typer(help="Take over maintenance events, machines and tariffs from other systems.", no_args_is_help=True)
Source = Annotated[str, typer.Argument(help="CSV or Excel file, SQLAlchemy address of a database, or http(s) address of a REST endpoint.")]
Table = Annotated[str, typer.Option(help="Table of the database, or sheet of the workbook.")]
Selector = Annotated[str, typer.Option(help="JSON path of the list in a REST answer; default: found by itself.", show_default=False)]
Header = Annotated[
    Path | None, typer.Option("--header-file", help="File with lines `Name: value` that a REST endpoint is sent.", show_default=False)
]
Column = Annotated[
    list[str] | None, typer.Option("--column", help="Our field by its column there: began_at=StartDate.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and write nothing.")]


def backfill(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or InfluxDB line protocol; also with .gz.")],
    factory: FactorySlug = "",
    dry_run: DryRun = False,
    device: Annotated[str, typer.Option(help="Key of the machine, for a file of one machine.")] = "",
    format: Annotated[str, typer.Option(help="csv, parquet or line; default: by the file's name.")] = "",  # noqa: A002  # the option's name
    time_column: Annotated[str, typer.Option(help="Default: timestamp, ts, time and alike.")] = "",
    device_column: Annotated[str, typer.Option(help="Column, or tag of a line protocol; default: device, machine and alike.")] = "",
    parameter_column: Annotated[str, typer.Option(help="Of a file with one reading a row.")] = "",
    value_column: Annotated[str, typer.Option(help="Of a file with one reading a row.")] = "",
    timezone: Annotated[str, typer.Option(help="Of times without an offset; default: the factory's.", show_default=False)] = "",
    time_format: Annotated[str, typer.Option(help="Such as %d.%m.%Y %H:%M:%S; default: ISO 8601 or numbers since 1970.")] = "",
    decimal: Annotated[str, typer.Option(help="Decimal sign of numbers in CSV.")] = ".",
    precision: Annotated[str, typer.Option(help="Of a line protocol's times: ns, us, ms or s.")] = "ns",
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="Where refused rows go; default: FILE.rejected.csv here.", show_default=False)
    ] = None,
    home: Home = None,
) -> None:
    """Add a history file to a factory's readings; running it twice changes nothing. Exit code 1 when rows were refused."""
    from ingest.sources import backfill as batch
    from ingest.sources.history import HistoryFile
    from ingest.sources.layouts import Columns
    from warehouse.factories import factory_zones

    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        zone = timezone or factory_zones(installation.db)[factory_id][1]
        columns = Columns(time_column, device_column, parameter_column, value_column)
        source = HistoryFile(file, format, device, columns, zone, time_format, decimal, precision)
        report = rejected or Path(f"{file.name}.rejected.csv")
        with _progress() as progress:
            done = batch.backfill(installation, factory_id, source, dry_run=dry_run, report=report, progress=progress)
    _say_backfilled(done)
    raise typer.Exit(1 if done.rejected else 0)


@app.command()
def maintenance(
    source: Source, factory: FactorySlug = "", table: Table = "", selector: Selector = "", header_file: Header = None,
    column: Column = None, dry_run: DryRun = False, home: Home = None,
) -> None:  # fmt: skip
    """Work orders and failures; again brings them up to date. Exit code 1 when rows were refused."""
    from ingest.sources.maintenance import import_maintenance

    _import(import_maintenance, source, factory, table, selector, header_file, column, dry_run, home)


@app.command()
def devices(
    source: Source, factory: FactorySlug = "", table: Table = "", selector: Selector = "", header_file: Header = None,
    column: Column = None, dry_run: DryRun = False, home: Home = None,
) -> None:  # fmt: skip
    """A list of machines: new ones are registered, known ones changed, none deleted. Exit code 1 when rows were refused."""
    from ingest.sources.devices import import_devices

    _import(import_devices, source, factory, table, selector, header_file, column, dry_run, home)


@app.command()
def tariff(
    source: Source, factory: FactorySlug = "", table: Table = "", selector: Selector = "", header_file: Header = None,
    column: Column = None, dry_run: DryRun = False, home: Home = None,
) -> None:  # fmt: skip
    """A time-of-use tariff, a row a band: band, price, weekdays, begin_hour, end_hour, currency, carbon_kg_a_kwh."""
    from ingest.sources.tariffs import import_tariff

    with opened(home) as installation:
        place = _source(source, table, selector, header_file)
        found = import_tariff(installation, factory_id_of(installation, factory), place, _named(column), dry_run=dry_run)
    for band in found.bands:
        print(f"{band.name:<12} {band.price:g} {found.currency}/kWh  {band.begin_hour:02}-{band.end_hour:02} h, weekdays {band.weekdays}")
    print(f"{'otherwise':<12} {found.otherwise:g} {found.currency}/kWh\n{'carbon':<12} {found.carbon_kg_a_kwh:g} kg/kWh")
    print("Nothing was written." if dry_run else "This is the tariff now.")


def _import(take: Any, source: str, factory: str, table: str, selector: str, header_file: Path | None, column: list[str] | None,
            dry_run: bool, home: Path | None) -> None:  # fmt: skip  # handed through from the options
    with opened(home) as installation:
        place = _source(source, table, selector, header_file)
        done = take(installation, factory_id_of(installation, factory), place, _named(column), dry_run=dry_run)
    would = "would be " if dry_run else ""
    print(f"{done.source}: {done.rows} rows; {would}added {done.added}, {would}changed {done.changed}, unchanged {done.unchanged}, "
          f"refused {len(done.problems)}")  # fmt: skip
    for line, problem in done.problems[:20]:
        print(f"  row {line}: {problem}")
    if len(done.problems) > 20:
        print(f"  and {len(done.problems) - 20} more")
    raise typer.Exit(1 if done.problems else 0)


def _source(location: str, table: str, selector: str, header_file: Path | None) -> Any:
    from ingest.sources.rows import RowSource, headers_in

    return RowSource(location, table, selector, headers_in(header_file) if header_file else {})


def _named(pairs: list[str] | None) -> Mapping[str, str]:
    if wrong := [pair for pair in pairs or [] if "=" not in pair]:
        raise InvalidInputError(f"--column is like began_at=StartDate, not {wrong[0]!r}", path="column")
    return dict(pair.split("=", 1) for pair in pairs or [])


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on standard error, so that standard output is the result's."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show


def _say_backfilled(done: Any) -> None:
    from ingest.sources.judged import EXPLAINED

    words = "would be added" if done.dry_run else "added"
    print(f"{done.file}: {done.rows:,} readings in {done.seconds:.1f} s; {words} {done.added:,}, there already {done.present:,}, "
          f"twice in the file {done.repeated:,}, refused {sum(done.rejected.values()):,}")  # fmt: skip
    if done.first is not None:
        print(f"  from {done.first.isoformat()} to {done.last.isoformat()}")
    for reason, rows in done.rejected.items():
        print(f"  {rows:,} {reason}: {EXPLAINED[reason]}")
    for key, rows in list(done.unknown_devices.items())[:10]:
        print(f"    machine {key or '(none)'}: {rows:,} rows; `factoryops import devices` registers machines")
    if done.report is not None:
        print(f"  refused rows: {done.report}")
