"""Questions to the tables of one factory, and to nothing else: every statement is taken apart by DuckDB's own parser before it runs.

A view hides other factories' rows only from those who use the view, and DuckDB has no rights by table. So what may be named is listed:
the tables of the catalogue, common table expressions of the statement itself, and functions that make rows from their arguments alone.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import polars as pl

from warehouse.errors import TenancyError

ROW_MAKERS: Final = frozenset({"range", "generate_series", "unnest"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLES_ARE_SHOWN: Final = ('"tables"', "SHOW_UNQUALIFIED")
Parameters = Sequence[Any] | Mapping[str, Any]


class Answer:
    """The rows of one question."""

    def __init__(self, found: duckdb.DuckDBPyConnection) -> None:
        self.columns = [str(column[0]) for column in found.description or ()]
        self._found = found

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows as tuples."""
        return self._found.fetchall()

    def pl(self) -> pl.DataFrame:
        """The rows as a Polars frame."""
        return self._found.pl()

    def df(self) -> Any:
        """The rows as a pandas frame."""
        return self._found.df()


class FactoryTables:
    """What `warehouse.direct.connect` gives: questions to the tables of one factory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Collection[str]) -> None:
        self._connection = connection
        self.tables = tuple(tables)

    def sql(self, question: str, parameters: Parameters | None = None) -> Answer:
        """The answer to one SELECT (also DESCRIBE, SUMMARIZE and SHOW TABLES) with `?` or `$name` for parameters.

        Raises TenancyError for any other statement and for what is no table of the factory, and DuckDB's own errors for wrong SQL.
        """
        cursor = self._connection.cursor()
        require_own_tables(cursor, question, self.tables)
        return Answer(cursor.execute(question, parameters))

    execute = sql

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None) -> None:
        self.close()


def require_own_tables(connection: duckdb.DuckDBPyConnection, question: str, tables: Collection[str]) -> None:
    """Raises TenancyError unless the statement is a SELECT that names nothing but `tables`, and duckdb.ParserException for wrong SQL."""
    told = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [question]).fetchall()[0][0]
    tree = json.loads(told)
    if tree["error"]:
        if tree.get("error_type") == "parser":
            raise duckdb.ParserException(tree["error_message"])
        raise TenancyError("only questions can be asked here: SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES")
    parts = list(_parts(tree["statements"]))
    own = {entry["key"] for part in parts if isinstance(part.get("cte_map"), dict) for entry in part["cte_map"]["map"]}
    if odd := [name for name in own if not _NAME.fullmatch(name)]:
        raise TenancyError(f"give common table expressions plain names: {', '.join(sorted(odd))}")
    for part in parts:
        if refused := _refused(part, {*tables, *own}):
            raise TenancyError(f"{refused} is no table of this factory; there are: {', '.join(tables)}", name=refused)


def _refused(part: dict[str, Any], allowed: Collection[str]) -> str:
    """What of a part of a statement is not allowed; empty when nothing is."""
    match part.get("type"):
        case "BASE_TABLE":
            path = [part.get("catalog_name", ""), part.get("schema_name", ""), part["table_name"]]
            return "" if path[:2] == ["", ""] and path[2] in allowed else ".".join(name for name in path if name)
        case "TABLE_FUNCTION":
            name = str(part["function"].get("function_name", "a table function"))
            return "" if name in ROW_MAKERS and not part["function"].get("schema") else f"{name}()"
        case "SHOW_REF":
            is_safe = part.get("query") is not None or (part.get("table_name"), part.get("show_type")) == _TABLES_ARE_SHOWN
            return "" if is_safe else "what is shown"
        case _:
            return ""


def _parts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _parts(child)
