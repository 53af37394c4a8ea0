"""Blocks as HTML for the screen and for Jupyter: one file, nothing loaded from elsewhere, text of people escaped; pure."""

import re
from collections.abc import Callable
from html import escape
from typing import Any, Final

from assets.reporting.blocks import Data, Document

_MARKS: Final = re.compile(r"\\(.)|\*\*(.+?)\*\*|@((?:fig|tbl|sec)-[A-Za-z0-9_-]+)|`([^`]+)`")
_SIGNS: Final = {"critical": "⯃", "high": "▲", "medium": "◆", "low": "○", "good": "✓", "unknown": "–"}
STYLE: Final = """
body{font:15px/1.5 Inter,system-ui,sans-serif;color:#1A2027;max-width:60rem;margin:2rem auto;padding:0 1rem;font-variant-numeric:tabular-nums}
h1,h2{color:#0B6470}h2{font-size:1.15rem}table{border-collapse:collapse;width:100%;font-size:.85rem}th{text-align:left;font-weight:500;
border-bottom:1px solid #1A2027}td,th{padding:.25rem .5rem .25rem 0;vertical-align:top}td{border-bottom:1px solid #E1E5E8}.r{text-align:right}
figure{margin:1.5rem 0}figcaption{font-weight:500;font-size:.9rem;margin-bottom:.5rem}figcaption b{color:#0B6470}svg,img{max-width:100%;height:auto}
.kpis{display:flex;gap:1.5rem;flex-wrap:wrap}.kpis div{border-top:2px solid #0B6470;flex:1;min-width:9rem}.kpis strong{font-size:1.8rem}
.callout{background:#EAF3F4;border-left:3px solid #0B6470;padding:.6rem 1rem}.empty{border:1px dashed #5B6772;padding:.8rem 1rem}
.note,.sub{color:#5B6772;font-size:.8rem}.verdict{font-size:1.3rem;font-weight:500}.lead{font-size:1.05rem;color:#4A5561}
.critical{color:#B3261E}.high{color:#A04A00}.medium{color:#6E5600}.low{color:#3D566E}.bar{display:inline-block;height:.5rem;background:#98A4B0}
.states{display:inline-flex;width:8rem;height:.6rem}.states i{display:block;height:100%}code{font-size:.85em}"""
_STATE_COLOURS: Final = ("#98A4B0", "#D3D9DF", "#F1F3F5", "#C4291C", "#D9660F")


class _Writer:
    """Writes one document; knows the numbers of its figures and tables."""

    def __init__(self, document: Document) -> None:
        self.words: dict[str, str] = document.meta["words"]
        self.numbers: dict[str, str] = {}
        self._counts = {"figure": 0, "table": 0}
        for block in document.blocks():
            kind = {"multiples": "figure"}.get(block["kind"], block["kind"])
            if kind in self._counts and block.get("caption"):
                self._counts[kind] += 1
                self.numbers[block.get("label") or f"{kind} {self._counts[kind]}"] = f"{self.words[kind]} {self._counts[kind]}"
            elif block["kind"] == "heading" and block.get("label"):
                self.numbers[block["label"]] = block["text"]
        self._counts = {"figure": 0, "table": 0}

    def rich(self, text: str) -> str:
        """Our marks as HTML."""
        return rich_html(text, self.numbers)

    def caption(self, kind: str, block: Data) -> str:
        """Number and caption; nothing for a block without one."""
        if not block.get("caption"):
            return ""
        self._counts[kind] += 1
        return f"<figcaption><b>{self.words[kind]} {self._counts[kind]}</b> {self.rich(block['caption'])}</figcaption>"


def rich_html(text: str, numbers: dict[str, str]) -> str:
    """Our marks as HTML; everything else escaped."""
    out, position = [], 0
    for found in _MARKS.finditer(text):
        out.append(escape(text[position : found.start()]))
        position = found.end()
        escaped, strong, reference, code = found.groups()
        if escaped is not None:
            out.append(escape(escaped))
        elif strong is not None:
            out.append(f"<strong>{rich_html(strong, numbers)}</strong>")
        elif reference is not None:
            out.append(f'<a href="#{reference}">{escape(numbers.get(reference, reference))}</a>')
        else:
            out.append(f"<code>{escape(code)}</code>")
    return "".join(out) + escape(text[position:])


def block_html(block: Data, words: dict[str, str]) -> str:
    """One block by itself, for Jupyter."""
    whole = Document({"words": words}, [block])
    return _block(block, _Writer(whole))


def document_html(document: Document) -> str:
    """The whole report as one HTML page."""
    writer = _Writer(document)
    meta = document.meta
    body = "\n".join(_block(block, writer) for block in (*document.body, *document.appendix))
    title = escape(f"{meta['title']} – {meta['factory']}, {meta['period']}")
    return (
        f'<!doctype html><html lang="{escape(meta["language"])}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _cell(cell: Any, w: _Writer) -> str:
    if cell is None:
        return "—"
    if isinstance(cell, str):
        return w.rich(cell)
    if "sev" in cell:
        return f'<span class="{escape(cell["sev"])}">{_SIGNS.get(cell["sev"], "")} {escape(w.words.get(cell["sev"], cell["sev"]))}</span>'
    if "states" in cell:
        parts = "".join(
            f'<i style="width:{share:.2%};background:{colour}"></i>' for share, colour in zip(cell["states"], _STATE_COLOURS, strict=True)
        )
        return f'<span class="states">{parts}</span>'
    if "bar" in cell:
        return f'<span class="bar" style="width:{8 * float(cell["bar"]):.2f}rem"></span>'
    if "mark" in cell:
        return f'<span class="{escape(cell["mark"])}">{_SIGNS.get(cell["mark"], "")}</span> {w.rich(cell["text"])}'
    if "two" in cell:
        return f'{w.rich(cell["two"][0])}<br><span class="sub">{w.rich(cell["two"][1])}</span>'
    return ""


def _picture(block: Data) -> str:
    alt = escape(block.get("alt") or "", quote=True)
    if block.get("png"):
        return f'<img alt="{alt}" src="data:image/png;base64,{escape(block["png"])}">'
    svg = block.get("svg") or ""
    return f'<div role="img" aria-label="{alt}">{svg[svg.find("<svg") :]}</div>' if svg else ""


def _figure(block: Data, w: _Writer) -> str:
    label = f' id="{block["label"]}"' if block.get("label") else ""
    return f"<figure{label}>{w.caption('figure', block)}{_picture(block)}{_note(block, w)}</figure>"


def _multiples(block: Data, w: _Writer) -> str:
    label = f' id="{block["label"]}"' if block.get("label") else ""
    rows = "".join(
        f'<h3>{w.rich(row["title"])}</h3><p class="sub">{w.rich(row["sub"])} · {" · ".join(_cell(fact, w) for fact in row["facts"])}</p>{_picture(row)}'
        for row in block["rows"]
    )
    return f"<figure{label}>{w.caption('figure', block)}{rows}{_note(block, w)}</figure>"


def _note(block: Data, w: _Writer) -> str:
    return f'<p class="note">{w.rich(block["note"])}</p>' if block.get("note") else ""


def _table(block: Data, w: _Writer) -> str:
    sides = ["r" if side == "r" else "" for side in block["align"]]
    label = f' id="{block["label"]}"' if block.get("label") else ""
    head = "".join(f'<th scope="col" class="{side}">{w.rich(name)}</th>' for name, side in zip(block["columns"], sides, strict=True))
    rows = []
    for row in block["rows"]:
        if isinstance(row, dict) and "group" in row:
            rows.append(
                f'<tr><th colspan="{len(sides)}">{w.rich(row["group"])} <span class="sub">{w.rich(row.get("note", ""))}</span></th></tr>'
            )
            continue
        cells = row["total"] if isinstance(row, dict) else row
        tag = "th" if isinstance(row, dict) else "td"
        rows.append(
            "<tr>" + "".join(f'<{tag} class="{side}">{_cell(cell, w)}</{tag}>' for cell, side in zip(cells, sides, strict=True)) + "</tr>"
        )
    return f"<figure{label}>{w.caption('table', block)}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{_note(block, w)}</figure>"


def _kpis(block: Data, w: _Writer) -> str:
    items = (
        f"<div><span class='sub'>{w.rich(k['label'])}</span><br><strong>{escape(k['value'])}</strong> {escape(k['unit'])}<br>"
        f"<span class='sub'>{w.rich(k['compare'])}</span></div>"
        for k in block["items"]
    )
    return f'<div class="kpis">{"".join(items)}</div>'


def _finding(block: Data, w: _Writer) -> str:
    sign = _cell({"sev": block["severity"]}, w)
    return f"<section><h3>{block['no']} {w.rich(block['title'])} {sign}</h3><p>{w.rich(block['body'])}</p><p class='note'>{w.rich(block['evidence'])}</p></section>"


def _cover(block: Data, w: _Writer) -> str:
    facts = "".join(f"<tr><td>{w.rich(name)}</td><td>{w.rich(value)}</td></tr>" for name, value in block["facts"])
    logo = _picture({"png": block.get("logo_png"), "alt": block.get("logo_alt")}) if block.get("logo_png") else ""
    return (
        f"<header>{logo}<p>{w.rich(block['report'])}</p><h1>{escape(block['factory'])}</h1><p>{w.rich(block['period'])}</p></header>{_picture(block)}"
        f"{_signatures(block, w)}<table>{facts}</table>"
    )


def _signatures(block: Data, w: _Writer) -> str:
    rows = "".join("<tr>" + "".join(f"<td>{w.rich(cell)}</td>" for cell in row) + "</tr>" for row in block["rows"])
    return f"<table>{rows}</table>"


def _heading(block: Data, w: _Writer) -> str:
    level = block.get("level", 1)
    label = f' id="{block["label"]}"' if block.get("label") else ""
    return f"<h{level}{label}>{w.rich(block['text'])}</h{level}>"


def _paragraphs(block: Data, w: _Writer) -> str:
    return "".join(f"<p>{w.rich(text)}</p>" for text in block["paragraphs"]) + _note(block, w)


def _list(block: Data, w: _Writer) -> str:
    tag = "ol" if block.get("ordered") else "ul"
    return f"<{tag}>{''.join(f'<li>{w.rich(item)}</li>' for item in block['items'])}</{tag}>"


def _box(name: str) -> Callable[[Data, _Writer], str]:
    def draw(block: Data, w: _Writer) -> str:
        title = f"<strong>{w.rich(block['title'])}</strong><br>" if block.get("title") else ""
        return f'<p class="{name}">{title}{w.rich(block["text"])}</p>'

    return draw


def _facts(block: Data, w: _Writer) -> str:
    return "<table>" + "".join(f"<tr><td>{w.rich(name)}</td><td>{w.rich(value)}</td></tr>" for name, value in block["rows"]) + "</table>"


_DRAW: Final[dict[str, Callable[[Data, _Writer], str]]] = {
    "heading": _heading, "title": _heading, "prose": _paragraphs, "items": _list, "lead": _box("lead"), "note": _box("note"),
    "subhead": lambda block, w: f"<h3>{w.rich(block['text'])}</h3>", "verdict": _box("verdict"), "callout": _box("callout"), "empty": _box("empty"),
    "code": lambda block, w: f"<pre><code>{escape(block['text'])}</code></pre>",  # noqa: ARG005  # one signature for all
    "figure": _figure, "multiples": _multiples, "table": _table, "kpis": _kpis, "finding": _finding, "cover": _cover,
    "signatures": _signatures, "facts": _facts,
}  # fmt: skip


def _block(block: Data, w: _Writer) -> str:
    if block["kind"] == "pair":
        return _block(block["left"], w) + _block(block["right"], w)
    draw = _DRAW.get(block["kind"])
    # Contents, lists of figures and page breaks are for paper.
    return draw(block, w) if draw else ""
