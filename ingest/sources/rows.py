"""Rows of somebody else's system as dictionaries: CSV, Excel, a table of any SQL database, a REST endpoint with pages."""

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dlt
import openpyxl
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.sql_database import sql_table

from ingest.payloads import microseconds
from warehouse.errors import InvalidInputError

Row = Mapping[str, Any]
MOST_COLUMNS: Final = 100
"""Of a sheet; further ones are not looked at."""
MOST_SHEET_ROWS: Final = 200_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class RowSource:
    """Where rows are. The location tells the kind: http(s)://, another address for SQL, a name that ends in .xlsx, else a CSV file."""

    location: str
    table: str = ""
    """Of a database, or the sheet of a workbook; default: the first sheet."""
    selector: str = ""
    """JSON path of the list in a REST answer; default: found by itself."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """For REST, such as Authorization."""

    @property
    def is_rest(self) -> bool:
        """True for a REST endpoint."""
        return self.location.startswith(("http://", "https://"))

    @property
    def is_sql(self) -> bool:
        """True for a database."""
        return "://" in self.location and not self.is_rest

    @property
    def name(self) -> str:
        """What the source is called where its rows are kept: without passwords, and the same each time."""
        if self.is_sql:
            return f"{self.location.split('://', 1)[0].split('+', 1)[0]}:{self.table}"[:100]
        return (self.location.split("?", 1)[0] if self.is_rest else Path(self.location).name)[:100]


def rows_resource(source: RowSource, convert: Callable[[int, Row], dict[str, Any]], columns: Mapping[str, str], name: str) -> Any:
    """A dlt resource of what `convert` makes of each row (given with its number, from 1); `columns`: dlt's type of each result column."""
    hints: Any = {column: {"data_type": kind, "nullable": True} for column, kind in columns.items()}

    @dlt.resource(name=name, columns=hints, max_table_nesting=0)
    def rows() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(read_rows(source), 1):
            yield convert(number, row)

    return rows


def read_rows(source: RowSource) -> Iterator[Row]:
    """Raises InvalidInputError for a file that is missing or a database without named table."""
    if source.is_rest:
        client = RESTClient(base_url=source.location, headers=dict(source.headers))
        for page in client.paginate("", data_selector=source.selector or None):
            yield from page
    elif source.is_sql:
        if not source.table:
            raise InvalidInputError("a database needs --table", path="table")
        schema, _, table = source.table.rpartition(".")
        yield from sql_table(credentials=source.location, table=table, schema=schema or None)
    else:
        path = Path(source.location)
        if not path.is_file():
            raise InvalidInputError(f"there is no file {path}", path=str(path))
        yield from _sheet(path, source.table) if path.suffix.lower() in {".xlsx", ".xlsm"} else _csv(path)


def headers_in(path: Path) -> dict[str, str]:
    """What a file of lines `Name: value` has REST requests say: a secret stays out of commands and configurations."""
    pairs = (line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as opened:
        first = opened.readline()
        opened.seek(0)
        yield from csv.DictReader(opened, delimiter=max(",;\t|", key=first.count))


def _sheet(path: Path, sheet: str) -> Iterator[Row]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        if sheet and sheet not in book.sheetnames:
            raise InvalidInputError(f"{path.name} has no sheet {sheet!r}; it has {', '.join(book.sheetnames)}", path="table")
        page = book[sheet] if sheet else book.worksheets[0]
        # What a sheet says of its own size is not believed: it may be a million rows of nothing.
        page.reset_dimensions()
        rows = page.iter_rows(values_only=True, max_col=MOST_COLUMNS)
        names = [str(cell or "") for cell in next(rows, ())]
        while names and not names[-1]:
            names.pop()
        for number, row in enumerate(rows, 2):
            if number > MOST_SHEET_ROWS:
                raise InvalidInputError(f"{path.name} has more than {MOST_SHEET_ROWS:,} rows; save it as CSV", path="file")
            if any(cell is not None for cell in row):
                yield dict(zip(names, row, strict=False))
    finally:
        book.close()


def matched(row: Row, known: Mapping[str, Sequence[str]], named: Mapping[str, str]) -> dict[str, Any]:
    """Our fields of a row: from the columns in `named`, else from the first of the `known` names that it has; pure.

    Blank texts are None. Raises InvalidInputError when a named column is missing.
    """
    lowered = {str(name).strip().lower().replace(" ", "_"): name for name in row}
    found = {}
    for field_name, names in known.items():
        column = named.get(field_name, "")
        if column and column not in row:
            raise InvalidInputError(f"there is no column {column!r}; there are {', '.join(map(str, row))}", path=field_name)
        value = row[column] if column else next((row[lowered[name]] for name in names if name in lowered), None)
        found[field_name] = (value.strip() or None) if isinstance(value, str) else value
    return found


def moment_of(value: Any, zone: dt.tzinfo) -> dt.datetime | None:
    """A time of another system in UTC; without an offset it is one of `zone`. None for nothing. Raises ValueError for what is no time."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _EPOCH + dt.timedelta(microseconds=microseconds(value))
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001  # given its zone below
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(dt.UTC)


def number_of(value: Any) -> float | None:
    """A number of another system; None for nothing. Raises ValueError for what is none."""
    return None if value is None else float(str(value).replace(",", ".")) if isinstance(value, str) else float(value)
