"""`factoryops dead-letters ...`: messages that were refused, why, and what to do about them."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from factoryops.at_home import Home, factory_id_of, opened
from warehouse.errors import InvalidInputError

app = typer.Typer(help="Messages that were refused: why, and taken in again once that is mended.", no_args_is_help=True)
FactorySlug = Annotated[str, typer.Option("--factory", help="Short name of a factory; default: all, and letters that name none.")]
Reason = Annotated[str, typer.Option(help="One reason, as `list` names it.")]
DeviceKey = Annotated[str, typer.Option("--device", help="Key of the machine in its topic.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers of letters.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All letters, instead of choosing some.")]


@app.command("list")
def list_all(
    factory: FactorySlug = "", reason: Reason = "", device: DeviceKey = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 20, home: Home = None,
) -> None:  # fmt: skip
    """How many there are by reason, and the newest of them."""
    from rich.console import Console
    from rich.table import Table

    from ingest.reasons import REASONS
    from warehouse.dead_letters import Choice, chosen, counts

    with opened(home) as inst:
        factory_id = factory_id_of(inst, factory) if factory else None
        numbers = counts(inst.db, factory_id, device_key=device)
        letters = chosen(inst.db, Choice(factory_id, reasons=[reason] if reason else (), device_key=device), limit=limit)
    if not numbers:
        print("There are no dead letters.")
        return
    for name, number in numbers.items():
        print(f"{number:>8}  {name}: {REASONS.get(name, '')}")
    table = Table("id", "received (UTC)", "reason", "device", "bytes", "detail")
    for letter in letters:
        received = f"{letter.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(letter.id), received, letter.reason, letter.device_key or "", str(letter.payload_size), letter.detail[:80])
    Console().print(table, markup=False)


@app.command()
def show(letter_id: Annotated[int, typer.Argument(metavar="ID", help="Number of the letter.")], home: Home = None) -> None:
    """One letter with what was sent."""
    from ingest.reasons import REASONS
    from warehouse.dead_letters import found, text_of

    with opened(home) as inst:
        letter = found(inst.db, None, letter_id)
    print(f"Topic     {letter.topic}\nDevice    {letter.device_key or '-'}\nReceived  {letter.received_at.isoformat()}")
    print(f"Reason    {letter.reason}: {REASONS.get(letter.reason, '')}\nDetail    {letter.detail}")
    if letter.replayed_at:
        print(f"Replayed  {letter.replayed_at.isoformat()}")
    cut = f", cut at {len(letter.payload):,}" if letter.payload_size > len(letter.payload) else ""
    print(f"Payload   {letter.payload_size:,} bytes{cut}\n{text_of(letter)}")


@app.command()
def replay(
    ids: Ids = None, factory: FactorySlug = "", reason: Reason = "", device: DeviceKey = "", all_: All = False, home: Home = None
) -> None:
    """Take letters in once more; what is still refused stays, and exit code 1 says so."""
    from ingest import replay as again

    with opened(home) as inst:
        choice = _choice(inst, ids, factory, reason, device, everything=all_)
        done = again.replay(inst.db, inst.clock, timedelta(days=inst.settings.raw_retention_days), choice, _actor(choice))
    print(f"Taken in: {done.accepted}")
    for name, number in done.still_refused.items():
        print(f"Still refused: {number} ({name})")
    raise typer.Exit(1 if done.still_refused else 0)


@app.command()
def purge(
    ids: Ids = None, factory: FactorySlug = "", reason: Reason = "", device: DeviceKey = "", all_: All = False,
    older_than_days: Annotated[float | None, typer.Option(min=0, help="Only letters received before.", show_default=False)] = None,
    home: Home = None,
) -> None:  # fmt: skip
    """Delete letters for good, those that were replayed too."""
    from dataclasses import replace

    from warehouse import dead_letters

    with opened(home) as inst:
        before = inst.clock.now() - timedelta(days=older_than_days) if older_than_days is not None else None
        choice = _choice(inst, ids, factory, reason, device, everything=all_ or before is not None)
        choice = replace(choice, received_before=before, with_replayed=True)
        print(f"Deleted: {dead_letters.purge(inst.db, choice, inst.clock.now(), _actor(choice))}")


def _choice(inst: Any, ids: list[int] | None, factory: str, reason: str, device: str, *, everything: bool) -> Any:
    from warehouse.dead_letters import Choice

    if not (ids or factory or reason or device or everything):
        raise InvalidInputError("say which letters: numbers, --reason, --device, --factory, or --all", path="ids")
    factory_id = factory_id_of(inst, factory) if factory else None
    return Choice(factory_id, ids or (), [reason] if reason else (), device)


def _actor(choice: Any) -> Any:
    """Only what concerns one factory is in that factory's audit trail."""
    from warehouse.access.audit import Actor

    return Actor(choice.factory_id) if choice.factory_id is not None else None
