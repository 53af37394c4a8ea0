"""Blocks: what a report is made of. Plain data, checked here, drawn by the template; text of people never becomes code."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from warehouse.errors import InvalidInputError

MIME: Final = "application/vnd.factoryops.block+json"
KINDS: Final = frozenset(
    {
        "appendix", "callout", "code", "contents", "cover", "empty", "facts", "figure", "finding", "heading", "items", "kpis", "lead",
        "legend", "lists", "multiples", "note", "pagebreak", "pair", "prose", "signatures", "subhead", "table", "title", "verdict",
    }
)  # fmt: skip
Data = dict[str, Any]
_SPECIAL: Final = re.compile(r"([\\*@`])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_UNBROKEN: Final = re.compile(r"[^\s\u200b\u3000-\u9fff\uac00-\ud7ff-]{24,}")
_RIGHT_TO_LEFT: Final = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_REFERENCE: Final = re.compile(r"\\.|@((?:fig|tbl|sec)-[A-Za-z0-9_-]+)")
_LABEL: Final = re.compile(r"(?:fig|tbl|sec)-[A-Za-z0-9_-]+")


def plain(text: object) -> str:
    """Text of people (names, comments) for use inside a block: no sign in it has a meaning, and a run without a space may break."""
    found = _CONTROL.sub("", str(text)).replace("\n", " ").replace("\t", " ")
    found = _UNBROKEN.sub(lambda run: "\u200b".join(re.findall(".{1,12}", run[0])), found)
    escaped = _SPECIAL.sub(r"\\\1", found)
    # Isolated: a right-to-left name must not turn round the numbers beside it.
    return f"\u2068{escaped}\u2069" if _RIGHT_TO_LEFT.search(escaped) else escaped


def without_marks(text: str) -> str:
    """The text as a person reads it, for alternative texts and plain formats."""
    stripped = re.sub(r"\\(.)|\*\*|`|@(?=(?:fig|tbl|sec)-)", lambda found: found[1] or "", text)
    return re.sub("[\u200b\u2068\u2069]", "", stripped)


@dataclass(frozen=True)
class Document:
    """A whole report: facts for every page, and its blocks in order."""

    meta: Data
    body: list[Data]
    appendix: list[Data] = field(default_factory=list)

    def blocks(self) -> Iterator[Data]:
        """Every block, also those inside pairs."""
        for block in (*self.body, *self.appendix):
            yield from _with_parts(block)


def document(meta: Data, blocks: Iterable[Data]) -> Document:
    """Checks the blocks and splits them at the `appendix` marker. Raises InvalidInputError that names the block."""
    found = list(blocks)
    for number, block in enumerate(found, start=1):
        for part in _with_parts(block):
            _check(part, number)
    cut = next((i for i, block in enumerate(found) if block["kind"] == "appendix"), len(found))
    whole = Document(meta, found[:cut], [block for block in found[cut:] if block["kind"] != "appendix"])
    _check_references(whole)
    return whole


def _with_parts(block: Data) -> Iterator[Data]:
    yield block
    if block.get("kind") == "pair":
        yield from _with_parts(block["left"])
        yield from _with_parts(block["right"])


def _check(block: Data, number: int) -> None:
    kind = block.get("kind")
    if kind not in KINDS:
        raise InvalidInputError(f"block {number} is of kind {kind!r}, which the report template does not know", path=f"block {number}")
    if kind == "figure" and not str(block.get("alt") or "").strip():
        raise InvalidInputError(f"the figure {block.get('label') or number} has no alternative text (fig-alt)", path=f"block {number}")
    label = block.get("label")
    if label is not None and not _LABEL.fullmatch(label):
        raise InvalidInputError(f"{label!r} is no label: it must begin with fig-, tbl- or sec-", path=f"block {number}")
    if kind == "table":
        _check_table(block, number)


def _check_table(block: Data, number: int) -> None:
    width = len(block["columns"])
    uneven = len(block["align"]) != width or len(block["widths"]) != width
    if uneven or any(isinstance(row, list) and len(row) != width for row in block["rows"]):
        raise InvalidInputError(f"the table {block.get('label') or number} has rows of other lengths than its head", path=f"block {number}")


def _check_references(whole: Document) -> None:
    labels = [block["label"] for block in whole.blocks() if block.get("label")]
    doubled = sorted({label for label in labels if labels.count(label) > 1})
    if doubled:
        raise InvalidInputError(f"these labels are used twice: {', '.join(doubled)}", path="label")
    known = set(labels)
    for text in _texts([whole.body, whole.appendix]):
        for found in _REFERENCE.finditer(text):
            if found[1] and found[1] not in known:
                raise InvalidInputError(f"the text refers to @{found[1]}, which is nowhere in the report", path=found[1])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"svg", "png", "logo_png", "alt", "logo_alt", "file"}:
                yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)
