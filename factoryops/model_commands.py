"""`factoryops models ...`: the trained models of a factory, and the way back to an older one."""

from pathlib import Path
from typing import Annotated

import typer

from factoryops.at_home import factory_id_of, opened

app = typer.Typer(help="Trained models: list, show, roll back.", no_args_is_help=True)
Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of the installation; default: FACTORYOPS_HOME or .factoryops.", show_default=False)
]
FactorySlug = Annotated[str, typer.Option("--factory", help="Short name of the factory; default: the first one.")]
Name = Annotated[str, typer.Argument(help="Name of a model, as `list` shows it.")]


@app.command("list")
def list_(factory: FactorySlug = "", home: Home = None) -> None:
    """Every version of every model; the star marks the one that counts."""
    from assets.analytics.registry import ModelRegistry

    with opened(home) as installation:
        cards = ModelRegistry(installation, factory_id_of(installation, factory)).cards()
    for card in cards:
        star = "*" if card.is_current else " "
        print(f"{star} {card.name}  {card.version}  {card.size_bytes / 1024:,.0f} KiB  snapshot {card.snapshot_id}")
    if not cards:
        print("no model was trained yet; order an analysis, or wait for the night")


@app.command()
def show(name: Name, version: Annotated[str, typer.Option(help="Default: the one that counts.")] = "",
         factory: FactorySlug = "", home: Home = None) -> None:  # fmt: skip
    """The card of a model as JSON: data, features, measured quality, parameters, sha256."""
    import json
    from dataclasses import asdict

    from assets.analytics.registry import ModelRegistry
    from warehouse.errors import NotFoundError

    with opened(home) as installation:
        cards = ModelRegistry(installation, factory_id_of(installation, factory)).cards(name)
    found = [card for card in cards if (card.version == version if version else card.is_current)]
    if not found:
        raise NotFoundError(f"there is no model {name} {version}".rstrip(), noun="model", key=name)
    print(json.dumps(asdict(found[0]), indent=2, default=str, ensure_ascii=False))


@app.command()
def rollback(name: Name, to: Annotated[str, typer.Option(help="Version; default: the one before the one that counts.")] = "",
             factory: FactorySlug = "", home: Home = None) -> None:  # fmt: skip
    """Let an older version count again; the next training makes a new one."""
    from assets.analytics.registry import ModelRegistry

    with opened(home) as installation:
        card = ModelRegistry(installation, factory_id_of(installation, factory)).rollback(name, to)
    print(f"{card.name} {card.version} counts now, trained {card.made_at:%Y-%m-%d %H:%M} UTC")
