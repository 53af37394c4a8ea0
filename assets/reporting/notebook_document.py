"""An executed notebook to a document."""

from collections.abc import Iterator
from typing import Any, Final

from nbformat import NotebookNode

from assets.reporting.blocks import MIME, Data, Document, document, plain
from assets.reporting.markdown import blocks_of_markdown
from assets.reporting.quarto import cell_options, front_matter, without_options
from assets.reporting.words import Language, language
from warehouse.errors import InvalidInputError

_PICTURES: Final = (("image/svg+xml", "svg"), ("image/png", "png"))


def document_of(notebook: NotebookNode) -> Document:
    """The report that an executed notebook is. Raises InvalidInputError that names the cell, also when a cell failed."""
    front = _front(notebook)
    facts = notebook.metadata.get("factoryops", {})
    words = language(str(facts.get("language") or _language(notebook) or front.get("lang") or "en"))
    blocks: list[Data] = []
    meta: Data = {}
    for number, cell in enumerate(notebook.cells, start=1):
        try:
            for block in _blocks_of_cell(cell, words):
                if block.get("kind") == "meta":
                    meta |= block["facts"]
                else:
                    blocks.append(block)
        except InvalidInputError as wrong:
            raise InvalidInputError(f"cell {number}: {wrong.message}", path=f"cell {number}") from wrong
    whole = _meta(front, meta | facts, words)
    # Who has signed is known when the file is sealed, not when the notebook ran.
    signed = [block | {"rows": whole["signatures"]} if block.get("rows", ()) is None else block for block in blocks]
    return document(whole, signed)


def _language(notebook: NotebookNode) -> str | None:
    """The language that the run was ordered in, as the report's first block says."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            block = output.get("data", {}).get(MIME)
            if isinstance(block, dict) and block.get("kind") == "meta":
                return str(block["facts"].get("language") or "") or None
    return None


def _front(notebook: NotebookNode) -> dict[str, Any]:
    first = notebook.cells[0] if notebook.cells else None
    return front_matter(first.source) if first is not None and first.cell_type == "raw" else {}


def _meta(front: dict[str, Any], facts: Data, words: Language) -> Data:
    """What every page prints. The facts of the run win over the front matter, which serves notebooks that are tried by hand."""
    return {
        "title": words(str(front.get("title", "Report"))),
        "factory": str(front.get("author", "FactoryOps")),
        "period": str(front.get("date", "")),
        "run": "draft",
        "zone": "UTC",
        "sealed": [2000, 1, 1, 0, 0, 0],
        "signatures": [],
        "paper": str(front.get("papersize", "a4")),
        **facts,
        "language": words.code,
        "words": words.template_words(),
    }


def _blocks_of_cell(cell: NotebookNode, words: Language) -> Iterator[Data]:
    if cell.cell_type == "markdown":
        yield from blocks_of_markdown(cell.source, words)
    if cell.cell_type != "code":
        return
    options = cell_options(cell.source)
    if options.get("include") is False:
        return
    if options.get("echo") is True:
        yield {"kind": "code", "text": without_options(cell.source)}
    if options.get("output") is False:
        return
    for output in cell.get("outputs", []):
        yield from _blocks_of_output(output, options, words)


def _blocks_of_output(output: NotebookNode, options: dict[str, Any], words: Language) -> Iterator[Data]:
    if output.output_type == "error":
        raise InvalidInputError(f"this cell failed with {output.ename}", path="cell")
    data = output.get("data", {})
    if MIME in data:
        found = data[MIME]
        for block in found if isinstance(found, list) else [found]:
            yield _with_options(dict(block), options, words)
        return
    for mime, key in _PICTURES:
        if mime in data:
            yield _picture(key, data[mime], options, words)
            return


def _with_options(block: Data, options: dict[str, Any], words: Language) -> Data:
    """Fills what the block leaves open from the cell's `#|` options."""
    prefix = {"figure": "fig", "multiples": "fig", "table": "tbl"}.get(block.get("kind", ""))
    if prefix is None:
        return block
    for key, option in (("caption", f"{prefix}-cap"), ("alt", f"{prefix}-alt"), ("label", "label")):
        value = str(options.get(option) or "")
        # Other labels name the cell, as in Quarto.
        if block.get(key) or not value or (key == "label" and not value.startswith(f"{prefix}-")):
            continue
        block[key] = words(plain(value)) if key == "caption" else words(value) if key == "alt" else value
    return block


def _picture(key: str, picture: str | list[str], options: dict[str, Any], words: Language) -> Data:
    missing = [option for option in ("fig-cap", "fig-alt") if not options.get(option)]
    if missing:
        raise InvalidInputError(f"the picture needs the cell options {' and '.join(f'#| {option}:' for option in missing)}", path="cell")
    block: Data = {"kind": "figure", key: picture if isinstance(picture, str) else "".join(picture), "caption": None, "alt": None}
    return _with_options(block, options, words)
