"""Files that people hand in: told by their content, bounded before they are read."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from ingest.sources.rows import MOST_COLUMNS, RowSource, read_rows
from ingest.sources.uploads import LARGEST_BYTES, LARGEST_UNPACKED_BYTES, MOST_PARTS, kind_of_table
from warehouse.errors import InvalidInputError


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (["key", "name"], ["M1", "Mill 1"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(change: Callable[[zipfile.ZipFile], None], without: str = "") -> bytes:
    """The workbook with something else in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            if part.filename != without:
                target.writestr(part.filename, source.read(part))
        change(target)
    return out.getvalue()


def bomb(target: zipfile.ZipFile) -> None:
    with target.open("xl/media/x.xml", "w") as part:
        for _ in range(LARGEST_UNPACKED_BYTES // 10_000_000 + 1):
            part.write(b"0" * 10_000_000)


def many(target: zipfile.ZipFile) -> None:
    for number in range(MOST_PARTS):
        target.writestr(f"xl/{number}.xml", b"")


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><sst>&b;</sst>'


def test_tables_are_told_by_their_content() -> None:
    assert kind_of_table(workbook()) == "xlsx"
    assert kind_of_table(b"key,name\nM1,Mill\n") == "csv"
    assert kind_of_table("\ufeffkey;name\r\nM1;Fräse\r\n".encode()) == "csv"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"x" * (LARGEST_BYTES + 1), "more than 5 MB"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old kind"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "neither"),
        ("key;name\r\nM1;Fräse\r\n".encode("latin-1"), "UTF-8"),
        (b"MZ\0\0\n", "no table"),
        (b"only one line", "no table"),
        (lambda: workbook()[:400], "damaged"),
        (lambda: changed(lambda _: None, without="xl/workbook.xml"), "no Excel workbook"),
        (lambda: changed(many), "too many parts"),
        (lambda: changed(lambda target: target.writestr("../../evil.xml", b"")), "outside"),
        (lambda: changed(lambda target: target.writestr("xl/vbaProject.bin", b"x")), "macros"),
        (lambda: changed(lambda target: target.writestr("xl/sharedStrings2.xml", LAUGHS)), "entities"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_bounded_table_is_refused_with_its_reason(content: bytes | Callable[[], bytes], why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as refused:
        kind_of_table(content if isinstance(content, bytes) else content())
    assert refused.value.path == "file"


def test_a_bomb_is_small_on_the_way_and_refused_without_being_unpacked() -> None:
    content = changed(bomb)
    assert len(content) < LARGEST_BYTES
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match="Unpacked"):
        kind_of_table(content)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < LARGEST_BYTES


def test_a_sheet_that_claims_to_be_endless_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>key</t></is></c><c r="XFD1" t="inlineStr"><is><t>far</t></is></c></row>'
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>M1</t></is></c></row></sheetData></worksheet>'
    )
    path = tmp_path / "list.xlsx"
    path.write_bytes(changed(lambda target: target.writestr("xl/worksheets/sheet1.xml", sheet), without="xl/worksheets/sheet1.xml"))
    assert list(read_rows(RowSource(str(path)))) == [{"key": "M1"}]
    assert MOST_COLUMNS < 16_384
