"""History files, read as CARRIED rows: CSV and Parquet, wide or narrow (`ingest.sources.layouts`), and InfluxDB line protocol.

Nothing is refused here: a cell that is no number keeps its text, a time that is none is empty, a line that is none says so. What of that
becomes a reading is decided once, in `ingest.sources.judged`.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa

from ingest.sources.layouts import Columns, Layout, layout_of
from ingest.sources.line_protocol import DEVICE_TAGS, TRUTHS, device_of, parameter_of, parse_line
from warehouse.errors import InvalidInputError
from warehouse.readings import UTC_TIME
from warehouse.scratch import identifier, literal, scratch

CARRIED: Final = pl.Schema(
    {
        "line": pl.Int64(),  # of the file; in CSV without the lines before it that are no rows (`judged` adds them)
        "device": pl.String(),
        "parameter": pl.String(),
        "ts": UTC_TIME,
        "value": pl.Float64(),
        "text": pl.String(),  # what stood there, where it is no number
        "problem": pl.String(),  # one of `ingest.reasons` where the line could not be read
        "raw": pl.String(),  # what stood there, where that or the time could not be read
    }
)
NOT_A_ROW: Final = "not_a_row"
KINDS: Final = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".lp": "line", ".line": "line"}
PRECISIONS: Final = {"ns": 0.001, "us": 1.0, "ms": 1e3, "s": 1e6}
"""Microseconds in the unit of a line protocol's time."""
ROWS_A_BATCH: Final = 500_000
_DELIMITERS: Final = ",;\t|"
# As in `ingest.payloads.microseconds`: numbers by their size as s, ms, us or ns.
_SIZES: Final = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))


@dataclass(frozen=True)
class HistoryFile:
    """A file and what it does not say itself."""

    path: Path
    kind: str = ""
    """`csv`, `parquet` or `line`; empty: by the name's ending, of which `.gz` is taken off."""
    device: str = ""
    """The machine of a file that names none."""
    columns: Columns = field(default_factory=Columns)
    timezone: str = "UTC"
    """Of times without an offset."""
    time_format: str = ""
    """Such as `%d.%m.%Y %H:%M:%S`, where the times are not ISO 8601 or numbers since 1970."""
    decimal: str = "."
    precision: str = "ns"
    """Of a line protocol's time stamps: ns, us, ms or s."""

    @property
    def format(self) -> str:
        """`csv`, `parquet` or `line`. Raises InvalidInputError when the name does not tell."""
        name = self.path.name.removesuffix(".gz")
        kind = self.kind or KINDS.get(Path(name).suffix.lower(), "")
        if kind not in {"csv", "parquet", "line"}:
            raise InvalidInputError(f"what is {self.path.name}? say it with --format csv, parquet or line", path="format")
        return kind


def history(file: HistoryFile) -> Iterator[pa.Table]:
    """CARRIED tables of a file. Raises InvalidInputError for a file that is missing or has not the needed columns."""
    if not file.path.is_file():
        raise InvalidInputError(f"there is no file {file.path}", path=str(file.path))
    readers = {"csv": _csv, "parquet": _parquet, "line": _lines}
    with scratch(file.timezone) as connection:
        try:
            yield from readers[file.format](connection, file)
        except duckdb.Error as problem:
            raise InvalidInputError(f"{file.path.name} cannot be read as {file.format}: {problem}", path=str(file.path)) from problem


def _csv(connection: duckdb.DuckDBPyConnection, file: HistoryFile) -> Iterator[pa.Table]:
    columns, delimiter = _header(file.path)
    layout = layout_of(columns, file.columns, one_device=bool(file.device))
    types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
    source = (
        f"read_csv({literal(str(file.path))}, columns = {{{types}}}, header = true, auto_detect = false, delim = {literal(delimiter)}, "
        "quote = '\"', escape = '\"', store_rejects = true, rejects_limit = 0)"
    )
    # The header is line 1.
    numbered = f"(SELECT row_number() OVER () + 1 AS line_, * FROM {source})"
    yield from _batches(connection, _select(numbered, layout, file, dict.fromkeys(columns, "VARCHAR")))
    yield from _batches(
        connection,
        "SELECT line, NULL AS device, NULL AS parameter, NULL AS ts, NULL AS value, NULL AS text, "
        f"{literal(NOT_A_ROW)} AS problem, left(trim(any_value(csv_line), E' \\r\\n'), 200) AS raw "
        "FROM reject_errors GROUP BY line ORDER BY line",
    )


def _header(path: Path) -> tuple[list[str], str]:
    """The columns of a CSV file and the sign between them: the one of , ; tab | that its first line has most of."""
    try:
        # As bytes: a bad byte further down is the affair of its own line.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            first = opened.readline().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InvalidInputError(f"{path.name} is not UTF-8: {problem.reason} at byte {problem.start}", path=str(path)) from problem
    delimiter = max(_DELIMITERS, key=first.count)
    columns = next(csv.reader([first.rstrip("\r\n")], delimiter=delimiter), [])
    if not columns or len(set(columns)) < len(columns) or "" in columns:
        raise InvalidInputError(f"the first line of {path.name} must name each column once: {first[:200]!r}", path=str(path))
    return columns, delimiter


def _parquet(connection: duckdb.DuckDBPyConnection, file: HistoryFile) -> Iterator[pa.Table]:
    source = f"read_parquet({literal(str(file.path))})"
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    layout = layout_of(list(types), file.columns, one_device=bool(file.device))
    numbered = f"(SELECT row_number() OVER () AS line_, * FROM {source})"
    yield from _batches(connection, _select(numbered, layout, file, types))


def _select(source: str, layout: Layout, file: HistoryFile, types: dict[str, str]) -> str:
    """The statement that makes CARRIED rows of a table with `line_` and the layout's columns."""
    moment = _moment(identifier(layout.time), types[layout.time], file)
    device = f"CAST({identifier(layout.device)} AS VARCHAR)" if layout.device else literal(file.device)
    if layout.device and file.device:
        device = f"coalesce({device}, {literal(file.device)})"
    row = f"line_ AS line, trim({device}) AS device"
    timed = f"{moment} AS ts, CAST({identifier(layout.time)} AS VARCHAR) AS raw"
    if layout.is_narrow:
        text = identifier(layout.text) if layout.text else "NULL"
        parts = [
            (
                f"SELECT {row}, trim(CAST({identifier(layout.parameter)} AS VARCHAR)) AS parameter, {timed}, "
                f"{_number(identifier(layout.value), types[layout.value], file.decimal)} AS value, "
                f"coalesce(CAST({text} AS VARCHAR), CAST({identifier(layout.value)} AS VARCHAR)) AS text FROM {source}"
            )
        ]
    else:
        parts = _unpivoted(source, layout, file, types, f"{row}, {timed}")
    return " UNION ALL ".join(
        "SELECT line, device, parameter, ts, value, CASE WHEN value IS NULL THEN text END AS text, CAST(NULL AS VARCHAR) AS problem, "
        f"CASE WHEN ts IS NULL THEN raw END AS raw FROM ({part})"
        for part in parts
    )


def _unpivoted(source: str, layout: Layout, file: HistoryFile, types: dict[str, str], kept: str) -> list[str]:
    """Numbers and texts apart, because a column holds one kind; an empty cell is no reading."""
    texts = [column for column in layout.parameters if types[column] == "VARCHAR"]
    numbers = [column for column in layout.parameters if column not in texts]
    parts = []
    for columns, kind in ((numbers, "DOUBLE"), (texts, "VARCHAR")):
        if columns:
            cells = ", ".join(f"CAST({identifier(column)} AS {kind}) AS {identifier(column)}" for column in columns)
            names = ", ".join(identifier(column) for column in columns)
            number = _number("cell", kind, file.decimal)
            parts.append(
                f"SELECT line, device, trim(parameter) AS parameter, ts, raw, {number} AS value, CAST(cell AS VARCHAR) AS text "
                f"FROM (UNPIVOT (SELECT {kept}, {cells} FROM {source}) ON {names} INTO NAME parameter VALUE cell)"
            )
    return parts


def _number(cell: str, kind: str, decimal: str) -> str:
    """SQL for the number in a cell; NULL where there is none."""
    if kind != "VARCHAR":
        return f"CAST({cell} AS DOUBLE)"
    digits = f"replace({cell}, {literal(decimal)}, '.')" if decimal != "." else cell
    return f"coalesce(TRY_CAST({digits} AS DOUBLE), CASE lower(trim({cell})) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END)"


def _moment(cell: str, kind: str, file: HistoryFile) -> str:
    """SQL for the time in a cell; NULL where there is none."""
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        zoned = kind == "TIMESTAMP WITH TIME ZONE"
        return f"CAST({cell} AS TIMESTAMPTZ)" if zoned else f"timezone({literal(file.timezone)}, CAST({cell} AS TIMESTAMP))"
    if kind != "VARCHAR":
        return _epoch(f"CAST({cell} AS DOUBLE)")
    if file.time_format:
        return f"timezone({literal(file.timezone)}, try_strptime({cell}, {literal(file.time_format)}))"
    return f"coalesce(TRY_CAST({cell} AS TIMESTAMPTZ), {_epoch(f'TRY_CAST({cell} AS DOUBLE)')})"


def _epoch(number: str) -> str:
    """SQL for a number since 1970, taken by its size; beyond the year 5138 it is no time."""
    sizes = " ".join(f"WHEN abs({number}) < {below} THEN {number} * {scale}" for below, scale in _SIZES)
    return f"make_timestamp(CAST(round(CASE {sizes} WHEN abs({number}) < 1e20 THEN {number} / 1000 END) AS BIGINT)) AT TIME ZONE 'UTC'"


def _lines(connection: duckdb.DuckDBPyConnection, file: HistoryFile) -> Iterator[pa.Table]:
    """Lines without escapes, quotes and doubled blanks (nearly all) in SQL, the others one by one."""
    if file.precision not in PRECISIONS:
        raise InvalidInputError(f"the precision {file.precision!r} is none of {', '.join(PRECISIONS)}", path="precision")
    source = (
        f"(SELECT row_number() OVER () AS line, trim(row_, E' \\t\\r') AS row_ FROM read_csv({literal(str(file.path))}, "
        "columns = {'row_': 'VARCHAR'}, header = false, auto_detect = false, delim = E'\\x01', quote = '', escape = ''))"
    )
    difficult = "(contains(row_, '\\') OR contains(row_, '\"') OR contains(row_, '  '))"
    told = f"row_ <> '' AND NOT starts_with(row_, '#') AND {'{}'} {difficult}"
    yield from _batches(connection, _simple_lines(source, told.format("NOT"), file))
    found = connection.execute(f"SELECT line, row_ FROM {source} WHERE {told.format('')}")
    while some := found.fetchmany(ROWS_A_BATCH // 10):
        yield _table(pl.DataFrame([row for line, text in some for row in _points(line, text, file)], schema=CARRIED, orient="row"))


def _simple_lines(source: str, where: str, file: HistoryFile) -> str:
    tags = (file.columns.device,) if file.columns.device else DEVICE_TAGS
    found = [f"nullif(regexp_extract(series, {literal(f',{tag}=([^,]+)')}, 1), '')" for tag in tags]
    device = f"coalesce({', '.join([*found, literal(file.device) if file.device else 'NULL'])})"
    truths = " ".join(f"WHEN {literal(word)} THEN {truth}" for word, truth in TRUTHS.items())
    number = f"coalesce(TRY_CAST(raw_ AS DOUBLE), CASE raw_ {truths} ELSE TRY_CAST(regexp_extract(raw_, '^(.*)[iu]$', 1) AS DOUBLE) END)"
    stamp = f"make_timestamp(CAST(TRY_CAST(stamp AS BIGINT) * {PRECISIONS[file.precision]} AS BIGINT)) AT TIME ZONE 'UTC'"
    if file.precision == "ns":
        stamp = "make_timestamp(TRY_CAST(stamp AS BIGINT) // 1000) AT TIME ZONE 'UTC'"
    # What a line says once is found once, before its fields become rows.
    return f"""
        WITH part AS (SELECT line, row_, string_split(row_, ' ') AS p FROM {source} WHERE {where}),
        said AS (SELECT *, len(p) AS parts, p[1] AS series, p[3] AS stamp, split_part(p[1], ',', 1) AS measurement FROM part),
        point AS (SELECT *, {device} AS device, {stamp} AS ts FROM said),
        cell AS (SELECT line, row_, parts, measurement, device, ts, unnest(string_split(coalesce(p[2], ''), ',')) AS f FROM point),
        named AS (SELECT *, split_part(f, '=', 1) AS name, split_part(f, '=', 2) AS raw_ FROM cell),
        read AS (SELECT *, {number} AS value FROM named)
        SELECT line, device, CASE name WHEN 'value' THEN measurement ELSE name END AS parameter, ts, value, CAST(NULL AS VARCHAR) AS text,
               CASE WHEN parts NOT IN (2, 3) OR value IS NULL OR name = '' THEN {literal(NOT_A_ROW)} END AS problem,
               CASE WHEN ts IS NULL OR value IS NULL OR name = '' THEN left(row_, 200) END AS raw
        FROM read
    """


def _points(line: int, text: str, file: HistoryFile) -> list[tuple[Any, ...]]:
    try:
        point = parse_line(text)
    except ValueError:
        return [(line, None, None, None, None, None, NOT_A_ROW, text[:200])]
    device = device_of(point, file.columns.device) or file.device or None
    stamp = (
        None if point.stamp is None else int(point.stamp * PRECISIONS[file.precision]) if file.precision != "ns" else point.stamp // 1000
    )
    raw = text[:200] if stamp is None else None
    return [
        (
            line,
            device,
            parameter_of(point.measurement, name),
            stamp,
            *((None, value) if isinstance(value, str) else (value, None)),
            None,
            raw,
        )
        for name, value in point.fields.items()
    ]


def _batches(connection: duckdb.DuckDBPyConnection, statement: str) -> Iterator[pa.Table]:
    for batch in connection.execute(statement).to_arrow_reader(ROWS_A_BATCH):
        yield _table(pl.DataFrame(pl.from_arrow(batch)))


def _table(frame: pl.DataFrame) -> pa.Table:
    """As Arrow with one schema for all, because dlt takes the first one for the table's."""
    return frame.select(CARRIED.names()).cast(CARRIED).to_arrow(compat_level=pl.CompatLevel.oldest())
