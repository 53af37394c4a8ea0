"""A factory's time-of-use tariff from CSV, Excel, SQL or REST: a row a band, in the order in which they are tried.

    band,price,weekdays,begin_hour,end_hour,currency,carbon_kg_a_kwh
    peak,0.31,mon-fri,8,20,EUR,0.38
    otherwise,0.22,,,,,

The row `otherwise` is what costs what no band fits. Currency and carbon factor stand in any row; all that give them must agree.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from ingest.sources.carry import carried
from ingest.sources.rows import Row, RowSource, matched, number_of, rows_resource
from warehouse.errors import InvalidInputError
from warehouse.installation import Installation
from warehouse.queries.energy_use import Band, Tariff
from warehouse.tariffs import set_tariff

FIELDS: Final[dict[str, Sequence[str]]] = {
    "band": ("band", "name", "period", "zone", "tarif"),
    "price": ("price", "price_a_kwh", "rate", "preis"),
    "weekdays": ("weekdays", "days", "tage"),
    "begin_hour": ("begin_hour", "from", "start", "von"),
    "end_hour": ("end_hour", "to", "end", "bis"),
    "currency": ("currency", "waehrung"),
    "carbon_kg_a_kwh": ("carbon_kg_a_kwh", "carbon", "co2"),
}
COLUMNS: Final = {
    "line": "bigint", "band": "text", "price": "double", "weekdays": "text", "begin_hour": "double", "end_hour": "double",
    "currency": "text", "carbon_kg_a_kwh": "double",
}  # fmt: skip
OTHERWISE: Final = "otherwise"
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS: Final = {name: number for number, day in enumerate(_DAYS) for name in (day, day[:3])}


def import_tariff(
    installation: Installation, factory_id: int, source: RowSource, named: Mapping[str, str] | None = None, *, dry_run: bool = False
) -> Tariff:
    """Replaces the factory's tariff with what a source tells, and returns it. All or nothing: raises InvalidInputError for any bad row."""
    resource = rows_resource(source, lambda number, row: converted(number, row, named or {}), COLUMNS, "tariff")
    with carried(installation.settings, "tariff", resource) as files:
        rows = [row for path in files for row in pl.read_parquet(path).iter_rows(named=True)]
    tariff = tariff_of_rows(sorted(rows, key=lambda row: row["line"]))
    if not dry_run:
        set_tariff(installation.db, factory_id, tariff)
    return tariff


def converted(number: int, row: Row, named: Mapping[str, str]) -> dict[str, Any]:
    """A typed row; pure. Raises InvalidInputError for what is no number."""
    found = matched(row, FIELDS, named)
    texts = {name: None if found[name] is None else str(found[name]) for name in ("band", "weekdays", "currency")}
    try:
        numbers = {name: number_of(found[name]) for name in ("price", "begin_hour", "end_hour", "carbon_kg_a_kwh")}
    except ValueError as problem:
        raise InvalidInputError(f"row {number} of the tariff: {problem}", path=f"row {number}") from problem
    return {"line": number, **texts, **numbers}


def tariff_of_rows(rows: Sequence[Row]) -> Tariff:
    """The tariff that typed rows tell; pure. Raises InvalidInputError, naming the row."""
    bands, otherwise = [], None
    for row in rows:
        if not row.get("band") or row.get("price") is None:
            raise InvalidInputError(f"row {row['line']} of the tariff needs a band and a price", path=f"row {row['line']}")
        if row["band"].lower() == OTHERWISE:
            otherwise = row["price"]
        else:
            hours = [_whole(row, name, default) for name, default in (("begin_hour", 0), ("end_hour", 24))]
            bands.append(Band(row["band"], row["price"], weekdays_of(row.get("weekdays")), *hours))
    if otherwise is None:
        raise InvalidInputError(f"the tariff needs a row {OTHERWISE!r}: what a kWh costs when no band fits", path="band")
    currency, carbon = _agreed(rows, "currency"), _agreed(rows, "carbon_kg_a_kwh")
    if currency is None:
        raise InvalidInputError("the tariff needs a currency, such as EUR, in one of its rows", path="currency")
    return Tariff(currency, otherwise, tuple(bands), carbon or 0.0)


def weekdays_of(text: str | None) -> tuple[int, ...]:
    """Such as `mon-fri` or `sat,sun`; every day for nothing. Raises InvalidInputError for other words."""
    if not text:
        return tuple(range(7))
    found: set[int] = set()
    for part in text.lower().replace(" ", "").replace(";", ",").split(","):
        first, _, last = part.partition("-")
        begin, end = _NUMBERS.get(first), _NUMBERS.get(last or first)
        if begin is None or end is None:
            raise InvalidInputError(f"the weekdays {text!r} are not like mon-fri or sat,sun", path="weekdays")
        found |= set(range(begin, end + 1)) if begin <= end else {*range(begin, 7), *range(end + 1)}
    return tuple(sorted(found))


def _whole(row: Row, name: str, default: int) -> int:
    value = row.get(name)
    if value is None:
        return default
    if value != int(value):
        raise InvalidInputError(f"row {row['line']} of the tariff: {name} is {value}, not a whole hour", path=name)
    return int(value)


def _agreed(rows: Sequence[Row], name: str) -> Any:
    found = {row[name] for row in rows if row.get(name) is not None}
    if len(found) > 1:
        raise InvalidInputError(f"the rows of the tariff disagree on {name}: {', '.join(map(str, sorted(found)))}", path=name)
    return next(iter(found), None)
