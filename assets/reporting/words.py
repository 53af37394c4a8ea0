"""The languages of reports: words, numbers, days and months. English is the key of every text; a language without a word shows English."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "de", "vi")
_FOLDER: Final = Path(__file__).parent / "look" / "words"
# What the Typst template prints by itself, by the key it asks for.
TEMPLATE_WORDS: Final = {
    "figure": "Figure",
    "table": "Table",
    "figures": "Figures",
    "tables": "Tables",
    "contents": "Contents",
    "continued": "continued",
    "run": "Run",
    "times": "Times are",
    "page": "page {page} of {pages}",
    "critical": "Critical",
    "high": "High",
    "medium": "Medium",
    "low": "Low",
    "running": "running",
    "idle": "idle",
    "off": "off",
    "fault": "fault",
    "nodata": "no data",
    "name_and_role": "Name and role",
    "time": "Time",
    "meaning": "Meaning of the signature",
}


@dataclass(frozen=True)
class Language:
    """How one language writes."""

    code: str
    decimal: str
    thousands: str
    days: tuple[str, ...]
    """Short names, Monday first."""
    months: tuple[str, ...]
    """Short names, January first."""
    catalogue: dict[str, str]

    def __call__(self, text: str, **values: object) -> str:
        """The text in this language with `{name}` filled in; English where the catalogue has none."""
        return self.catalogue.get(text, text).format(**values) if values else self.catalogue.get(text, text)

    def template_words(self) -> dict[str, str]:
        """What the template prints by itself."""
        return {key: self(text) for key, text in TEMPLATE_WORDS.items()}


_ENGLISH_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ENGLISH_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMES: Final = {
    "en": (".", ",", _ENGLISH_DAYS, _ENGLISH_MONTHS),
    "de": (
        ",",
        ".",
        ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
        ("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez."),
    ),
    "vi": (",", ".", ("T2", "T3", "T4", "T5", "T6", "T7", "CN"), tuple(f"thg {month}" for month in range(1, 13))),
}


@cache
def language(code: str) -> Language:
    """The language of that code; English for one we do not have."""
    known = code if code in LANGUAGES else "en"
    decimal, thousands, days, months = _NAMES[known]
    path = _FOLDER / f"{known}.json"
    catalogue = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Language(known, decimal, thousands, days, months, catalogue)
