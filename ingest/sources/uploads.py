"""Files that people hand in to be imported: told by what is in them, never by their name, and bounded before anything reads them."""

import io
import zipfile
import zlib
from typing import Final

from warehouse.errors import InvalidInputError

LARGEST_BYTES: Final = 5_000_000
LARGEST_UNPACKED_BYTES: Final = 100_000_000
MOST_PARTS: Final = 500
_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WORKBOOK: Final = frozenset({"[Content_Types].xml", "xl/workbook.xml"})
_LOOKED_AT: Final = 65_536
"""A definition of entities stands at the very beginning of a part."""


def kind_of_table(content: bytes) -> str:
    """`xlsx` or `csv`, whatever the file is called; pure.

    Raises InvalidInputError for anything else, for what is too large, packed or not, and for workbooks with macros, parts that lie
    outside, or definitions of entities, none of which a list needs.
    """
    if not content.strip():
        raise _refused("the file is empty")
    if len(content) > LARGEST_BYTES:
        raise _refused(f"the file has more than {LARGEST_BYTES // 1_000_000} MB")
    if content.startswith(_ZIP):
        _check_workbook(content)
        return "xlsx"
    if content.startswith(_OLD_OFFICE):
        raise _refused("this is a workbook of the old kind, or one with a password: save it as .xlsx without one")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("this is neither an Excel workbook nor text in UTF-8: save it as .xlsx, or as CSV UTF-8") from None
    if "\0" in text or not any(sign in text for sign in "\r\n"):
        raise _refused("this is no table: a CSV file has a line of column names and a line for each row")
    return "csv"


def _check_workbook(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            parts = package.infolist()
            _check_parts(parts)
            for part in parts:
                # Reading stops at the size that is announced, so what is announced may be believed.
                if part.filename.endswith((".xml", ".rels")) and b"<!" in _beginning(package, part):
                    raise _refused("the workbook defines entities of its own")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as broken:
        raise _refused("the workbook is damaged, or has a password") from broken


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    names = {part.filename for part in parts}
    if not names >= _WORKBOOK:
        raise _refused("this is an archive, but no Excel workbook")
    if len(parts) > MOST_PARTS or len(names) < len(parts):
        raise _refused("the workbook has too many parts")
    if sum(part.file_size for part in parts) > LARGEST_UNPACKED_BYTES:
        raise _refused(f"unpacked, the workbook has more than {LARGEST_UNPACKED_BYTES // 1_000_000} MB")
    if any(name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") for name in names):
        raise _refused("the workbook has parts that lie outside of it")
    if any(name.lower().endswith(".bin") and "vba" in name.lower() for name in names):
        raise _refused("the workbook has macros: save it as .xlsx without them")


def _beginning(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    """The first part of it without comments, which begin alike."""
    with package.open(part) as opened:
        return opened.read(_LOOKED_AT).replace(b"<!--", b"").replace(b"<![CDATA[", b"")


def _refused(why: str) -> InvalidInputError:
    return InvalidInputError(f"{why[0].upper()}{why[1:]}.", path="file")
