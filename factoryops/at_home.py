"""What a command needs of an installation: opened, closed at the end, and which factory is meant."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from warehouse.errors import NotFoundError
from warehouse.settings import Settings

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of the installation; default: FACTORYOPS_HOME or .factoryops.", show_default=False)
]
FactorySlug = Annotated[str, typer.Option("--factory", help="Short name of the factory; default: the first one.")]


@contextmanager
def opened(home: Path | None) -> Iterator[Any]:
    """The installation of a home, with its logs set up."""
    from warehouse.installation import Installation
    from warehouse.logs import configure_logs

    settings = Settings.load(**({"factoryops_home": home} if home else {}))
    configure_logs(settings)
    installation = Installation.open(settings)
    try:
        yield installation
    finally:
        installation.close()


def factory_id_of(installation: Any, slug: str) -> int:
    """The factory with this short name; the first one without. Raises NotFoundError, naming those that there are."""
    from warehouse.factories import factory_zones

    known = {found: factory_id for factory_id, (found, _) in factory_zones(installation.db).items()}
    factory_id = known.get(slug) if slug else next(iter(known.values()), None)
    if factory_id is None:
        raise NotFoundError(f"there is no factory {slug!r}; known: {', '.join(known) or 'none'}", noun="factory", key=slug)
    return factory_id
