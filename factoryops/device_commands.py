"""`factoryops devices ...`: machines registered, their keys, and what is known of them."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from factoryops.at_home import FactorySlug, Home, factory_id_of, opened

app = typer.Typer(help="Register machines, give them keys, see what was noticed of them.", no_args_is_help=True)
key_app = typer.Typer(help="Keys with which machines sign in to the broker: shown once, stored as hashes.", no_args_is_help=True)
app.add_typer(key_app, name="key")
DeviceKey = Annotated[str, typer.Argument(metavar="DEVICE", help="Key of the machine in its topic, such as M01.")]
Text = Annotated[str | None, typer.Option(show_default=False)]


@app.command()
def add(
    device: DeviceKey, factory: FactorySlug = "", name: Text = None, kind: Text = None, manufacturer: Text = None, model: Text = None,
    region: Text = None,
    replay: Annotated[bool, typer.Option(help="Take in what it sent before; else it asks.")] = False,
    home: Home = None,
) -> None:  # fmt: skip
    """Register a machine and print its key, once. What it sent before it was known can be taken in."""
    from ingest.registration import register
    from warehouse.device_list import DeviceEntry

    with opened(home) as inst:
        actor = _actor(inst, factory)
        made = register(inst.db, inst.clock, actor, DeviceEntry(device, name, kind, manufacturer, model, region))
        _say_credentials(made.credentials)
        if made.waiting.messages and made.waiting.first_at:
            print(f"It sent {made.waiting.messages} messages before it was registered, since {made.waiting.first_at:%Y-%m-%d %H:%M} UTC.")
            if replay or _wants("Take them in now?"):
                _replay(inst, actor, made.credentials)
            else:
                print(f"`factoryops devices replay {device}` takes them in.")


@app.command("replay")
def replay_device(device: DeviceKey, factory: FactorySlug = "", home: Home = None) -> None:
    """Take in what a machine sent before it was registered."""
    from ingest.registration import credentials_of

    with opened(home) as inst:
        actor = _actor(inst, factory)
        _replay(inst, actor, credentials_of(inst.db, actor.factory_id, device))


@app.command("list")
def list_all(factory: FactorySlug = "", home: Home = None) -> None:
    """The machines of a factory: when each was heard, whether it has a key, what was noticed of it."""
    from rich.console import Console
    from rich.table import Table

    from ingest.registration import devices_of
    from warehouse.device_notes import notes_of

    with opened(home) as inst:
        factory_id = factory_id_of(inst, factory)
        notes: dict[int, list[str]] = {}
        for note in notes_of(inst.db, factory_id):
            notes.setdefault(note.device_id, []).append(f"{note.kind} {note.parameter_key}".strip())
        table = Table("device", "name", "state", "key", "last heard (UTC)", "noticed")
        for row in devices_of(inst.db, factory_id):
            heard = f"{row.last_seen:%Y-%m-%d %H:%M:%S}" if row.last_seen else "never"
            state = "active" if row.is_active else "switched off"
            table.add_row(row.device_key, row.name or "", state, "yes" if row.api_key else "none", heard, ", ".join(notes.get(row.id, [])))
    Console().print(table)


@app.command()
def show(device: DeviceKey, factory: FactorySlug = "", home: Home = None) -> None:
    """The parameters of a machine, and what was noticed of it."""
    from rich.console import Console
    from rich.table import Table

    from warehouse.device_notes import notes_of
    from warehouse.parameters import parameters_of
    from warehouse.queries.live import find_device

    with opened(home) as inst:
        factory_id = factory_id_of(inst, factory)
        found = find_device(inst.db, factory_id, device_key=device)
        table = Table("parameter", "name", "unit", "type", "first seen (UTC)")
        for row in parameters_of(inst.db, factory_id, found.id):
            seen = f"{row.discovered_at:%Y-%m-%d %H:%M}"
            table.add_row(row.parameter_key, row.display_name or row.parameter_key, row.unit or "", row.data_type, seen)
        notes = notes_of(inst.db, factory_id, found.id)
    Console().print(table)
    for note in notes:
        about = f" ({note.parameter_key})" if note.parameter_key else ""
        print(f"{note.kind}{about}: {note.said}\n  {note.detail}; {note.count} times, last {note.last_at:%Y-%m-%d %H:%M:%S} UTC")


@app.command()
def rename(
    device: DeviceKey,
    parameter: Annotated[str, typer.Argument(help="Key of the parameter, such as spindle_temp.")],
    name: Annotated[str | None, typer.Option(help='Name on screens; "" goes back to the key.', show_default=False)] = None,
    unit: Annotated[str | None, typer.Option(help='Unit; "" for none.', show_default=False)] = None,
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """Change the name or the unit of a parameter. What was suggested is a beginning; yours stays."""
    from warehouse.parameters import ParameterChange, change_parameter
    from warehouse.queries.live import find_device

    with opened(home) as inst:
        actor = _actor(inst, factory)
        found = find_device(inst.db, actor.factory_id, device_key=device)
        row = change_parameter(inst.db, inst.clock, actor, found.id, ParameterChange(name, unit), parameter_key=parameter)
    print(f"{row.parameter_key}: {row.display_name or row.parameter_key}{f' in {row.unit}' if row.unit else ''}")


@key_app.command()
def rotate(device: DeviceKey, factory: FactorySlug = "", home: Home = None) -> None:
    """Give a machine a new key and print it, once. The old one ends within 10 s."""
    from ingest.registration import rotate_key

    with opened(home) as inst:
        _say_credentials(rotate_key(inst.db, inst.clock, _actor(inst, factory), device))


@key_app.command()
def revoke(device: DeviceKey, factory: FactorySlug = "", home: Home = None) -> None:
    """Take a machine's key away, within 10 s; `devices key rotate` gives it a new one."""
    from ingest.registration import revoke_key

    with opened(home) as inst:
        revoke_key(inst.db, inst.clock, _actor(inst, factory), device)
    print(f"{device} has no key any more: the broker sends it away.")


def _actor(inst: Any, factory: str) -> Any:
    from warehouse.access.audit import Actor

    return Actor(factory_id_of(inst, factory))


def _replay(inst: Any, actor: Any, device: Any) -> None:
    from ingest.replay import replay_stranger

    retention = timedelta(days=inst.settings.raw_retention_days)
    slug = device.user_name.split("/")[0]
    done = replay_stranger(inst.db, inst.clock, retention, slug, device.device_key, actor)
    print(f"Taken in: {done.accepted} messages.")
    for reason, number in done.still_refused.items():
        print(f"Still refused: {number} ({reason})")


def _wants(question: str) -> bool:
    import sys

    return sys.stdin.isatty() and typer.confirm(question)


def _say_credentials(made: Any) -> None:
    print(f"User name  {made.user_name}\nPassword   {made.password}\nTopic      {made.topic}")
    print("The password is shown once and stored nowhere; `factoryops devices key rotate` makes a new one.")
