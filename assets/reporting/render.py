"""A document to PDF: Typst with PDF/A-2a and PDF/UA-1 enforced by its compiler, then packed tightly.

The same document gives the same bytes.
"""

import base64
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import pikepdf

from assets.reporting import typeset
from assets.reporting.blocks import Data, Document
from assets.reporting.places import FONTS, TEMPLATE
from warehouse.errors import PermanentError
from warehouse.settings import bare_environment

TIME_LIMIT_S: Final = 120.0
STANDARDS: Final[list[Any]] = ["a-2a", "ua-1"]


class RenderError(PermanentError):
    """The document cannot be set; the message is Typst's own."""


def render_pdf(document: Document) -> bytes:
    """PDF/A-2a + PDF/UA-1. Raises RenderError."""
    return _packed(_compiled(document, "pdf")[0])


def render_pages(document: Document, *, ppi: float = 80) -> list[bytes]:
    """Each page as PNG, for previews of what is not a file yet."""
    return _compiled(document, "png", ppi=ppi)


def _compiled(document: Document, form: Literal["pdf", "png"], *, ppi: float | None = None) -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="factoryops-typst-") as name:
        folder = Path(name)
        for path in TEMPLATE.glob("*.typ"):
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "document.json").write_text(json.dumps(_with_files(document, folder), ensure_ascii=False), encoding="utf-8")
        year, month, day, hour, minute, second = document.meta["sealed"]
        made = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        more: dict[str, Any] = {"ppi": ppi} if form == "png" else {"pdf_standards": STANDARDS}
        order = {
            "main": str(folder / "main.typ"), "root": name, "fonts": [str(FONTS)], "format": form, "timestamp": int(made.timestamp()),
            "more": more,
        }  # fmt: skip
        _typeset(order, folder)
        return [path.read_bytes() for path in sorted(folder.glob("out-*"))]


def _typeset(order: dict[str, Any], folder: Path) -> None:
    # -P: a file in the folder must not be imported in place of a library.
    command = [sys.executable, "-P", str(Path(typeset.__file__))]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(order).encode(),
            capture_output=True,
            cwd=folder,
            env=bare_environment(),
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RenderError(f"setting the report took longer than {TIME_LIMIT_S:.0f} s") from late
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"its process ended with {done.returncode}"
        raise RenderError(f"the report cannot be set: {said[-1000:]}")


def _packed(pdf: bytes) -> bytes:
    """Object streams and stronger compression: a fifth of the size."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        opened.save(
            out,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            recompress_flate=True,
            deterministic_id=True,
        )
    return out.getvalue()


def _with_files(document: Document, folder: Path) -> Data:
    """The document as the template reads it, with pictures written beside it under names of ours."""
    names = (f"picture-{number:03d}" for number in _count())
    return {
        "meta": document.meta,
        "body": [_placed(block, folder, names) for block in document.body],
        "appendix": [_placed(block, folder, names) for block in document.appendix],
    }


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


def _placed(value: Any, folder: Path, names: Iterator[str]) -> Any:
    if isinstance(value, list):
        return [_placed(inner, folder, names) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {key: _placed(inner, folder, names) for key, inner in value.items() if key not in {"svg", "png", "logo_png"}}
    for key, target in (("svg", "file"), ("png", "file"), ("logo_png", "logo")):
        if value.get(key):
            kind = key.rsplit("_", 1)[-1]
            path = folder / f"{next(names)}.{kind}"
            path.write_bytes(value[key].encode() if kind == "svg" else base64.b64decode(value[key]))
            found[target] = path.name
    return found
