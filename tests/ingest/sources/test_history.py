"""What is read of a history file, row by row, before anything is refused."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.sources.history import CARRIED, NOT_A_ROW, HistoryFile, history
from ingest.sources.layouts import Columns, layout_of
from ingest.sources.line_protocol import parse_line
from warehouse.errors import InvalidInputError

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NEW_YEAR_S = 1_767_225_600


def rows(path: Path, text: str | bytes = "", **facts: object) -> list[dict[str, object]]:
    if text:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    tables = [pl.DataFrame(pl.from_arrow(table)) for table in history(HistoryFile(path, **facts))]  # type: ignore[arg-type]
    assert all(table.schema == CARRIED for table in tables)
    return pl.concat(tables).sort("line", maintain_order=True).rows(named=True)


def brief(found: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(row["device"], row["parameter"], row["ts"], row["value"], row["text"]) for row in found]


def test_wide_and_narrow_csv_say_the_same(tmp_path: Path) -> None:
    wide = rows(tmp_path / "w.csv", "timestamp,device,temp,power\n2026-01-01T00:00:00Z,M1,1.5,\n2026-01-01T01:00:00+01:00,M2,,7\n")
    narrow = rows(tmp_path / "n.csv", "device,ts,metric,value\nM1,1767225600,temp,1.5\nM2,1767225600000,power,7\n")
    assert brief(wide) == brief(narrow) == [("M1", "temp", NEW_YEAR, 1.5, None), ("M2", "power", NEW_YEAR, 7.0, None)]


def test_csv_as_it_comes_from_a_german_spreadsheet(tmp_path: Path) -> None:
    text = "\ufeffZeit;Maschine;Temperatur;Zustand\r\n01.01.2026 01:00:00;M1;1,5;läuft\r\n"
    found = rows(tmp_path / "d.csv", text, timezone="Europe/Berlin", time_format="%d.%m.%Y %H:%M:%S", decimal=",")
    assert brief(found) == [("M1", "Temperatur", NEW_YEAR, 1.5, None), ("M1", "Zustand", NEW_YEAR, None, "läuft")]


def test_a_time_without_offset_is_one_of_the_given_zone(tmp_path: Path) -> None:
    found = rows(tmp_path / "h.csv", "time,device,temp\n2026-01-01 01:00:00,M1,1\n", timezone="Europe/Berlin")
    assert found[0]["ts"] == NEW_YEAR


def test_a_line_that_is_none_says_so_with_its_number_and_costs_no_other(tmp_path: Path) -> None:
    found = rows(tmp_path / "b.csv", b"ts,device,temp\n1767225600,M1,1\n1,2,3,4,5\nnever,M1,2\n1767225601,M1,\xff\n1767225602,M1,3\n")
    assert [(row["line"], row["problem"]) for row in found if row["problem"]] == [(3, NOT_A_ROW), (5, NOT_A_ROW)]
    assert [(row["value"], row["raw"]) for row in found if not row["problem"]] == [(1.0, None), (2.0, "never"), (3.0, None)]


def test_parquet_keeps_numbers_exactly_and_texts_apart(tmp_path: Path) -> None:
    frame = pl.DataFrame({"time": [datetime(2026, 1, 1)], "machine": ["M1"], "count": [3], "temp": [0.1 + 0.2], "state": ["idle"]})  # noqa: DTZ001
    frame.write_parquet(tmp_path / "p.parquet")
    found = rows(tmp_path / "p.parquet")
    assert sorted(brief(found), key=lambda row: str(row[1])) == [
        ("M1", "count", NEW_YEAR, 3.0, None), ("M1", "state", NEW_YEAR, None, "idle"), ("M1", "temp", NEW_YEAR, 0.1 + 0.2, None),
    ]  # fmt: skip


LINES = [
    (
        f"spindle,device=M1,line=2 temp=1.5,count=3i,on=t {NEW_YEAR_S}000000000",
        [("M1", "temp", 1.5), ("M1", "count", 3.0), ("M1", "on", 1.0)],
    ),
    (f"power,host=a,machine=M2 value=-2e3 {NEW_YEAR_S}000000000", [("M2", "power", -2000.0)]),
    (f"s\\ x,device=M\\ 3 a\\,b=1 {NEW_YEAR_S}000000000", [("M 3", "a,b", 1.0)]),
    (f'x,device=M1 note="said \\"a, b=c\\"" {NEW_YEAR_S}000000000', [("M1", "note", 'said "a, b=c"')]),
    (f"x,device=M1  u=7u   {NEW_YEAR_S}000000000", [("M1", "u", 7.0)]),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_line_protocol(tmp_path: Path, line: str, expected: list[tuple[str, str, object]]) -> None:
    found = rows(tmp_path / "l.lp", f"# a comment\n\n{line}\n")
    assert [(row["device"], row["parameter"], row["text"] if row["value"] is None else row["value"]) for row in found] == expected
    assert {row["ts"] for row in found} == {NEW_YEAR}


@pytest.mark.parametrize("line", ["no fields", "x,device=M1 a=b 1", 'x,device=M1 a="open 1', "x,device=M1 =1 1", "x y z w 1", 'x a="b"c 1'])
def test_a_line_that_is_no_line_protocol(tmp_path: Path, line: str) -> None:
    assert {row["problem"] for row in rows(tmp_path / "l.lp", line + "\n")} == {NOT_A_ROW}


def test_the_fast_and_the_exact_reading_of_a_line_agree() -> None:
    point = parse_line(LINES[0][0])
    assert (point.measurement, point.tags, point.fields, point.stamp) == (
        "spindle", {"device": "M1", "line": "2"}, {"temp": 1.5, "count": 3.0, "on": 1.0}, NEW_YEAR_S * 10**9,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["s", "ms", "us", "ns"])
def test_precision_of_line_protocol(tmp_path: Path, precision: str) -> None:
    stamp = NEW_YEAR_S * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[precision]
    text = f'm,device=M1 a=1 {stamp}\nm,device=M1 a="x" {stamp}\n'
    assert {row["ts"] for row in rows(tmp_path / "l.lp", text, precision=precision)} == {NEW_YEAR}


def test_columns_that_nobody_can_guess_are_asked_for() -> None:
    with pytest.raises(InvalidInputError, match="--time-column"):
        layout_of(["when", "device", "temp"])
    with pytest.raises(InvalidInputError, match="--device"):
        layout_of(["time", "temp"])
    with pytest.raises(InvalidInputError, match="no column 'nope'"):
        layout_of(["time", "device", "temp"], Columns(time="nope"))
    assert layout_of(["when", "who", "temp"], Columns(time="when", device="who")).parameters == ("temp",)
    assert layout_of(["time", "temp"], one_device=True).device == ""


def test_a_file_that_is_missing_or_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no file"):
        rows(tmp_path / "gone.csv")
    with pytest.raises(InvalidInputError, match="--format"):
        rows(tmp_path / "what.bin", "x")
    with pytest.raises(InvalidInputError, match="cannot be read as parquet"):
        rows(tmp_path / "p.parquet", "this is no parquet")
