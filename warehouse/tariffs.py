"""The electricity tariff of each factory, as people or a batch load set it."""

from dataclasses import asdict
from typing import Any, Final

from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.streams import InstallationFact
from warehouse.queries.energy_use import Band, Tariff
from warehouse.tenancy import system_session

_FACT: Final = "tariff"


def tariff_of(db: Database, factory_id: int) -> Tariff | None:
    """The tariff of a factory; None until one was set."""
    with system_session(db, "tariff of a factory") as session:
        fact = session.get(InstallationFact, f"{_FACT}:{factory_id}")
        value: dict[str, Any] | None = dict(fact.value) if fact else None
    if value is None:
        return None
    bands = tuple(Band(**{**band, "weekdays": tuple(band["weekdays"])}) for band in value["bands"])
    return Tariff(**{**value, "bands": bands})


def set_tariff(db: Database, factory_id: int, tariff: Tariff) -> None:
    """Replaces the tariff of a factory. Raises InvalidInputError for hours, weekdays or prices that cannot be."""
    for band in tariff.bands:
        if not 0 <= band.begin_hour < band.end_hour <= 24 or any(day not in range(7) for day in band.weekdays):
            raise InvalidInputError(f"band {band.name!r} needs hours 0 to 24 in order and weekdays 0 (Monday) to 6", path="bands")
    if min([tariff.otherwise, tariff.carbon_kg_a_kwh, *(band.price for band in tariff.bands)]) < 0:
        raise InvalidInputError("prices and emission factors are not negative", path="bands")
    with system_session(db, "set the tariff of a factory", write=True) as session:
        session.merge(InstallationFact(key=f"{_FACT}:{factory_id}", value=asdict(tariff)))
