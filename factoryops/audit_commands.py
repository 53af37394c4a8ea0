"""`factoryops audit ...`: whether the trail of who did what is whole, and a copy of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factoryops.at_home import Home

if TYPE_CHECKING:
    from warehouse.access.sign_in import FactoryChoice
    from warehouse.db import Database

app = typer.Typer(help="The trail of who did what.", no_args_is_help=True)


@app.command()
def verify(
    factory: Annotated[str, typer.Option(help="Short name (slug) of one factory; default: all.", show_default=False)] = "",
    head: Annotated[str, typer.Option(help="Hash that an earlier check printed, for one factory.", show_default=False)] = "",
    home: Home = None,
) -> None:
    """Look for events that were edited, removed or put in another order; exit code 1 when there are any."""
    from warehouse.access import audit_trail

    is_whole = True
    with _database(home) as db:
        for one in _chosen(db, factory):
            found = audit_trail.verify(db, one.id, head or None)
            print(f"{one.slug}: {'whole' if found.is_whole else 'NOT WHOLE'}, {found.events} events, head {found.head}")
            for problem in found.problems:
                print(f"  {problem}")
            is_whole = is_whole and found.is_whole
    raise typer.Exit(0 if is_whole else 1)


@app.command()
def export(
    factory: Annotated[str, typer.Argument(help="Short name (slug) of the factory.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of JSON with one object a line.")] = False,
    home: Home = None,
) -> None:
    """Write all events of a factory, oldest first, to standard output."""
    from warehouse.access import audit_trail

    with _database(home) as db:
        one = _chosen(db, factory)[0]
        events = audit_trail.events_of(db, one.id)
        sys.stdout.writelines(audit_trail.as_csv(events) if as_csv else audit_trail.as_json_lines(events))


@contextmanager
def _database(home: Path | None) -> Iterator["Database"]:
    from warehouse.db import Database
    from warehouse.logs import configure_logs
    from warehouse.settings import Settings

    settings = Settings.load(**({"factoryops_home": home} if home else {}))
    # To standard error: standard output is the result's.
    configure_logs(settings)
    db = Database(settings.operational_url)
    try:
        yield db
    finally:
        db.dispose()


def _chosen(db: "Database", slug: str) -> "list[FactoryChoice]":
    from warehouse.access.sign_in import factories
    from warehouse.errors import NotFoundError

    found = [one for one in factories(db) if not slug or one.slug == slug]
    if slug and not found:
        raise NotFoundError(f"there is no factory {slug}", noun="factory", key=slug)
    return found
