"""Text in tables that other programs open: no formula, no control character; pure."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
LONGEST_CELL: Final = 32_000


def clean(text: object) -> str:
    """The text without what a spreadsheet cannot hold."""
    return _CONTROL.sub("", str(text))[:LONGEST_CELL]


def csv_text(text: object) -> str:
    """Text for a CSV file: a sign that would begin a formula is put behind an apostrophe."""
    found = clean(text)
    return f"'{found}" if found.startswith(FORMULA_SIGNS) else found
