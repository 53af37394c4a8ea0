"""The command line. Each command imports what it runs, so that `factoryops --help` answers at once."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from factoryops import (
    audit_commands,
    dead_letter_commands,
    device_commands,
    import_commands,
    key_commands,
    model_commands,
    report_commands,
    rule_commands,
)
from warehouse.errors import FactoryOpsError


class _Commands(TyperGroup):
    """Turns an error of ours into one message and exit code 2; with --debug the traceback stays."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FactoryOpsError as problem:
            if ctx.params.get("debug"):
                raise
            from rich.console import Console

            Console(stderr=True).print(problem.message, style="bold red", highlight=False, markup=False, soft_wrap=True)
            raise typer.Exit(2) from problem


app = typer.Typer(
    name="factoryops",
    cls=_Commands,
    help="FactoryOps watches factories: every reading kept, shown live, alerted on within a second.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of the installation; default: FACTORYOPS_HOME or .factoryops.", show_default=False)
]


app.add_typer(report_commands.app, name="report")
app.add_typer(key_commands.app, name="keys")
app.add_typer(rule_commands.app, name="rules")
app.add_typer(import_commands.app, name="import")
app.add_typer(device_commands.app, name="devices")
app.add_typer(dead_letter_commands.app, name="dead-letters")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(model_commands.app, name="models")
app.command()(import_commands.backfill)


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error came from.")] = False) -> None:
    """Nothing to do: `_Commands` reads the option."""


@app.command()
def init(
    factory: Annotated[str, typer.Option(help="Name of the first factory.")] = "My factory",
    slug: Annotated[str, typer.Option(help="Its short name in MQTT topics: small letters, digits, dashes.")] = "",
    timezone: Annotated[str, typer.Option(help="Its IANA time zone, such as Europe/Berlin.")] = "UTC",
    email: Annotated[str, typer.Option(help="E-mail of the first super admin.")] = "admin@factoryops.local",
    home: Home = None,
) -> None:
    """Prepare the databases, and make the first factory and its super admin, whose password is printed once."""
    from factoryops import first_start

    made = first_start.initialise(_settings(home), factory_name=factory, slug=slug, timezone=timezone, email=email)
    print(f"Factory   {made.factory_name} ({made.factory_slug})\nSign in   {made.email}\nPassword  {made.password}")
    print("This password is shown once and stored nowhere; change it after the first sign-in. `factoryops up` starts everything.")


@app.command()
def setup(home: Home = None) -> None:
    """Prepare the databases and the buckets of the settings. Changes nothing when all is there: containers run it at each start."""
    from factoryops import first_start

    first_start.set_up(_settings(home))


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="With two simulated factories and a month of history.")] = False,
    history_days: Annotated[int, typer.Option(min=0, max=90, help="How many days of history the demo begins with.")] = 30,
    home: Home = None,
) -> None:
    """Start everything on this machine and stop it all with Ctrl-C."""
    from factoryops import up as everything

    raise typer.Exit(everything.run(_settings(home, **({"app_env": "demo"} if demo else {})), demo=demo, history_days=history_days))


@app.command(hidden=True)
def prepare(
    demo: Annotated[bool, typer.Option("--demo")] = False,
    history_days: Annotated[int, typer.Option(min=0, max=90)] = 30,
    home: Home = None,
) -> None:
    """First step of `up`: databases, secrets, demo data. In a process of its own, so that its memory is given back."""
    from factoryops import first_start

    first_start.prepare(_settings(home, **({"app_env": "demo"} if demo else {})), demo=demo, history_days=history_days)


@app.command()
def web(home: Home = None) -> None:
    """Serve dashboards and REST API."""
    from factoryops import web as server

    server.run(_settings(home))


@app.command(hidden=True)
def broker(home: Home = None) -> None:
    """Run the broker that `up` brings along, in this process."""
    from ingest.broker import run_broker

    run_broker(_settings(home))


@app.command()
def ingest(home: Home = None) -> None:
    """Take in messages from the broker."""
    from ingest.consumer import run_ingester

    run_ingester(_settings(home))


@app.command()
def load(home: Home = None) -> None:
    """Move landed readings into the lake."""
    from ingest.loader import run_loader

    run_loader(_settings(home))


@app.command()
def evaluate(
    name: Annotated[str, typer.Option(help="Name of this evaluator among several, as the health page shows it.")] = "",
    home: Home = None,
) -> None:
    """Evaluate alert rules in a process of its own, beside Dagster or on another machine; several share the shards."""
    from factoryops import evaluator_process

    evaluator_process.run(_settings(home), name)


@app.command()
def shards(
    count: Annotated[
        int | None, typer.Argument(help="How many parts the factories are shared out into, 1 to 64.", show_default=False)
    ] = None,
    home: Home = None,
) -> None:
    """Show or set how many shards the evaluator has: at most so many processes share its work. May be changed while all runs."""
    from factoryops import evaluator_process

    print(evaluator_process.show_or_set_shards(_settings(home, log_level="WARNING"), count))


@app.command()
def simulate(home: Home = None) -> None:
    """Publish the telemetry of the demo's machines."""
    from ingest.simulator.run import run_simulator

    run_simulator(_settings(home))


@app.command()
def doctor(home: Home = None) -> None:
    """Check the installation and say how to mend what is wrong; exit code 1 when something is."""
    from factoryops import doctor as examination

    raise typer.Exit(examination.run(home))


@app.command()
def status(
    once: Annotated[bool, typer.Option("--once", help="Show it once; exit code 1 when something is not well.")] = False,
    part: Annotated[
        str, typer.Option(help="Say nothing unless this process (ingester, loader, daemon) gives no sign of life: a health check.")
    ] = "",
    home: Home = None,
) -> None:
    """Show on one screen how every part is doing; Ctrl-C ends it."""
    from factoryops import status as screen

    if part:
        problem = screen.part_is_well(_settings(home, log_level="ERROR"), part)
        if problem != "ok":
            print(problem)
        raise typer.Exit(int(problem != "ok"))
    raise typer.Exit(screen.watch(_settings(home, log_level="ERROR"), once=once))


@app.command()
def dagster(
    kind: Annotated[str, typer.Argument(help="code, daemon or webserver.")],
    listen: Annotated[str, typer.Option(help="Address that code or webserver listens on.")] = "127.0.0.1",
    home: Home = None,
) -> None:
    """Run one of Dagster's processes alone, where each has its own container; `up` runs all three."""
    from factoryops import dagster_process

    dagster_process.run(_settings(home), kind, listen)


@app.command()
def backup(
    target: Annotated[str, typer.Argument(help="Folder, or an fsspec address such as s3://bucket/prefix.")],
    home: Home = None,
) -> None:
    """Back up everything while it runs: lake, database, files, secrets. Only what is new is added."""
    from factoryops import safekeeping

    safekeeping.back_up(_settings(home), target)


@app.command()
def restore(
    source: Annotated[str, typer.Argument(help="Where `backup` wrote to.")],
    name: Annotated[str, typer.Option(help="Which backup; default: the newest.", show_default=False)] = "",
    home: Home = None,
) -> None:
    """Put a backup into an empty home; on PostgreSQL and S3 into the empty databases and prefixes that the settings name."""
    from factoryops import safekeeping

    safekeeping.restore(_settings(home), source, name)


@app.command("verify-backup")
def verify_backup(
    source: Annotated[str, typer.Argument(help="Where `backup` wrote to.")],
    name: Annotated[str, typer.Option(help="Which backup; default: the newest.", show_default=False)] = "",
) -> None:
    """Read every file of a backup and say whether it can be restored; exit code 1 when it cannot."""
    from factoryops import safekeeping

    raise typer.Exit(safekeeping.verify(_settings(None), source, name))


@app.command()
def upgrade(
    backup_to: Annotated[
        str,
        typer.Option(
            "--backup-to",
            help="Where the backup before it goes; default: HOME/backups, or BACKUP_URL for a lake in S3.",
            show_default=False,
        ),
    ] = "",
    home: Home = None,
) -> None:
    """Bring both databases to this version, after a backup. Stop everything else first."""
    from factoryops import safekeeping

    safekeeping.upgrade(_settings(home), backup_to)


@app.command("migrate-storage")
def migrate_storage(home: Home = None) -> None:
    """Move an embedded home to the PostgreSQL databases and the object store of the settings; docs/storage.md shows how."""
    from factoryops import outgrow

    outgrow.run(_settings(home))


@app.command()
def shell(
    factory: Annotated[str, typer.Argument(help="Short name (slug) of the factory.")],
    command: Annotated[str, typer.Option("--command", "-c", help="One statement instead of a prompt.")] = "",
    home: Home = None,
) -> None:
    """SQL on the tables of one factory, read-only; docs/reference/tables.md names them."""
    from factoryops import shell as prompt

    raise typer.Exit(prompt.run(_settings(home), factory, command))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Name of a benchmark, or `list`.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on standard output and nothing else.")] = False,
    data: Annotated[
        str | None, typer.Option(help="File or folder to measure on, for the benchmarks of analytics.", show_default=False)
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Date such as 2018-08-06: learn before it, judge from it on.", show_default=False)
    ] = None,
    minutes: Annotated[
        str | None, typer.Option(help="How long to look, for `dashboards`: 60 watches the memory for an hour.", show_default=False)
    ] = None,
) -> None:
    """Measure one thing; exit code 1 when a budget is missed. `bench list` names the benchmarks."""
    from bench import runner
    from warehouse.logs import configure_logs
    from warehouse.settings import Settings

    if name == "list":
        print("\n".join(runner.benchmarks()))
        return
    # To standard error, and warnings only: standard output is the result's, and logging costs what is measured.
    configure_logs(Settings.load(log_level="WARNING"))
    result = runner.run(name, runner.to_stderr, data=data, split=split, minutes=minutes)
    if not json_:
        runner.print_table(result)
    if json_ or data is not None:
        print(runner.as_json(result))
    raise typer.Exit(runner.exit_code(result))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as of

    print(of("factoryops"))


def _settings(home: Path | None, **overrides: object) -> Any:
    from warehouse.logs import configure_logs
    from warehouse.settings import Settings

    settings = Settings.load(**({"factoryops_home": home} if home is not None else {}), **overrides)
    configure_logs(settings)
    return settings
