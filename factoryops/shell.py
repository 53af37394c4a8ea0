"""`factoryops shell`: SQL on the tables of one factory, read-only, a statement a line, until Ctrl-D."""

import sys
from collections.abc import Iterable

import duckdb
import polars as pl

from warehouse.clock import SystemClock
from warehouse.direct import connect, describe
from warehouse.errors import TenancyError
from warehouse.own_tables import FactoryTables
from warehouse.settings import Settings

MOST_ROWS = 100


def run(settings: Settings, factory: str, command: str = "") -> int:
    """Runs one command, or what is typed; exit code 1 when the one command fails."""
    connection = connect(factory, settings)
    if command:
        return 0 if _answer(connection, command) else 1
    if sys.stdin.isatty():
        import readline  # noqa: F401  # editing and history for input()

        print(describe(connection, SystemClock().now()))
    for statement in _typed():
        _answer(connection, statement)
    return 0


def _typed() -> Iterable[str]:
    text = ""
    while True:
        try:
            text += input("" if not sys.stdin.isatty() else "factoryops> " if not text else "       ...> ") + "\n"
        except (EOFError, KeyboardInterrupt):
            return
        if text.rstrip().endswith(";") or not text.strip():
            yield text
            text = ""


def _answer(connection: FactoryTables, statement: str) -> bool:
    if not statement.strip():
        return True
    try:
        found = connection.sql(statement).pl()
    except (duckdb.Error, TenancyError) as wrong:
        print(wrong, file=sys.stderr)
        return False
    with pl.Config(tbl_rows=MOST_ROWS, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=100, tbl_hide_column_data_types=True):
        print(found)
    return True
