"""What of a model's answer the facts prove: sentences that cite facts, and whose numbers and names occur in those facts; pure.

A model may word things wrongly, and no check here finds that. But it cannot bring a number, a machine or a link into an answer that the
factory's own data did not give.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assets.analytics.ask_tools import Fact

MOST_SENTENCES: Final = 12
LONGEST_SENTENCE: Final = 600
_CITED: Final = re.compile(r"\[\s*(F\d+(?:\s*[,;]\s*F\d+)*)\s*\]")
_LATE: Final = re.compile(r"([.!?])\s*((?:\[\s*F\d+(?:\s*[,;]\s*F\d+)*\s*\]\s*)+)")
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+(?=[^\s\d])|\n+")
_NAMES: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_/][A-Za-z0-9]+)*")
_NUMBERS: Final = re.compile(r"(?<![A-Za-z0-9_.])[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?")
_MARKS: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|\w+://\S+|(?<!\w)[*_`#>|]+|[*_`|]+(?!\w)")
_BULLET: Final = re.compile(r"^\s*(?:[-•*]|\d+[.)])\s+")


@dataclass(frozen=True)
class Said:
    """One sentence that stands, and the facts that it rests on."""

    text: str
    facts: tuple[str, ...]


def proven(answer: str, facts: Mapping[str, Fact]) -> tuple[list[Said], list[str]]:
    """The sentences that the facts prove, and those that were left out."""
    kept: list[Said] = []
    dropped: list[str] = []
    for sentence in _sentences(answer):
        cited = tuple(dict.fromkeys(re.findall(r"F\d+", " ".join(_CITED.findall(sentence)))))
        text = _plain(sentence)
        if not text:
            continue
        is_proven = bool(cited) and all(one in facts for one in cited) and _rests_on(text, [facts[one] for one in cited])
        if is_proven and len(kept) < MOST_SENTENCES and len(text) <= LONGEST_SENTENCE:
            kept.append(Said(text, cited))
        else:
            dropped.append(text)
    return kept, dropped


def _sentences(answer: str) -> Iterator[str]:
    # A citation after the full stop belongs to the sentence before it.
    joined = _LATE.sub(lambda found: f" {found[2].strip()}{found[1]} ", answer)
    yield from (part for part in _SENTENCES.split(joined) if part.strip())


def _plain(sentence: str) -> str:
    """Without citations, mark-up and addresses."""
    bare = _MARKS.sub(lambda found: found[1] or "", _CITED.sub("", sentence))
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(_BULLET.sub("", bare).split()))


def _rests_on(text: str, cited: list[Fact]) -> bool:
    """Every name with a digit in it, and every number, occurs in the cited facts."""
    told = " ".join(_texts([fact.row for fact in cited]))
    names = {name.lower() for name in _NAMES.findall(told)}
    for name in _NAMES.findall(text):
        if any(sign.isdigit() for sign in name) and name.lower() not in names:
            return False
    values = [*_values([fact.row for fact in cited]), *(_number(found) for found in _NUMBERS.findall(_NAMES.sub(" ", told)))]
    return all(_occurs(found, values) for found in _NUMBERS.findall(_NAMES.sub(" ", text)))


def _occurs(found: str, values: list[float]) -> bool:
    """Rounded to as many places as the number was written with; the sign may be in the words (fell by 3)."""
    wanted, places = abs(_number(found)), len(found.partition(".")[2])
    return any(abs(round(abs(value), places) - wanted) < 1e-9 for value in values)


def _number(found: str) -> float:
    return float(found.replace(",", "").replace("−", "-"))


def _values(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
