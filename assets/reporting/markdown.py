"""Markdown cells to blocks, by mistune's syntax tree: headings, paragraphs, lists, tables, quotes, code, rules. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import mistune

from assets.reporting.blocks import Data, plain

Token = dict[str, Any]
Translate = Callable[[str], str]
_HEADING_ID: Final = re.compile(r"\s*\{#(sec-[A-Za-z0-9_-]+)\}\s*$")
_ESCAPED_REFERENCE: Final = re.compile(r"\\@((?:fig|tbl|sec)-[A-Za-z0-9_-]+)")
_PARSE: Final = mistune.create_markdown(renderer=None, plugins=["table"])


def blocks_of_markdown(text: str, translate: Translate = str) -> list[Data]:
    """The blocks of one markdown cell; each text goes through `translate` whole, so that a catalogue can hold it."""
    tokens = _PARSE(text)
    assert not isinstance(tokens, str)  # noqa: S101  # renderer=None always gives the tree; this tells the type checker
    found: list[Data] = []
    for token in tokens:
        for block in _blocks(token, translate):
            if block["kind"] == "prose" and found and found[-1]["kind"] == "prose":
                found[-1]["paragraphs"] += block["paragraphs"]
            else:
                found.append(block)
    return found


def _blocks(token: Token, translate: Translate) -> Iterator[Data]:
    kind = token["type"]
    if kind == "heading":
        text = _inline(token["children"])
        label = _HEADING_ID.search(text)
        level = min(int(token["attrs"]["level"]), 2)
        yield {"kind": "heading", "level": level, "text": translate(_HEADING_ID.sub("", text)), "label": label[1] if label else None}
    elif kind in {"paragraph", "block_text"}:
        yield {"kind": "prose", "paragraphs": [translate(_inline(token["children"]))]}
    elif kind == "list":
        items = [translate(" ".join(_inline(part.get("children", [])) for part in item["children"])) for item in token["children"]]
        yield {"kind": "items", "items": items, "ordered": bool(token["attrs"].get("ordered"))}
    elif kind == "block_code":
        yield {"kind": "code", "text": token["raw"].rstrip("\n")}
    elif kind == "block_quote":
        inner = [text for part in token["children"] for block in _blocks(part, translate) for text in block.get("paragraphs", [])]
        yield {"kind": "callout", "title": None, "text": " ".join(inner)}
    elif kind == "thematic_break":
        yield {"kind": "pagebreak"}
    elif kind == "table":
        yield _table(token, translate)


def _table(token: Token, translate: Translate) -> Data:
    head, body = token["children"]
    columns = [translate(_inline(cell["children"])) for cell in head["children"]]
    align = "".join((cell["attrs"].get("align") or "left")[0] for cell in head["children"])
    rows = [[translate(_inline(cell["children"])) for cell in row["children"]] for row in body["children"]]
    return {"kind": "table", "columns": columns, "align": align, "widths": ["1fr"] * len(columns), "rows": rows, "caption": None}


def _inline(tokens: Iterable[Token]) -> str:
    """The text with our four marks; what else markdown has keeps its words only."""
    return "".join(_inline_token(token) for token in tokens)


def _inline_token(token: Token) -> str:
    kind = token["type"]
    if kind == "text":
        return _ESCAPED_REFERENCE.sub(r"@\1", plain(token["raw"]))
    if kind == "codespan":
        return f"`{token['raw']}`"
    if kind == "strong":
        return f"**{_inline(token['children'])}**"
    if kind in {"softbreak", "linebreak"}:
        return " "
    return _inline(token.get("children", [])) if "children" in token else plain(token.get("raw", ""))
