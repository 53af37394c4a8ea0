"""Every PDF passes the structural gate, and the gate sees what it should."""

import io
from collections.abc import Callable

import pikepdf
import pytest

from assets.reporting.pdf_gate import PdfGateError, check_pdf
from assets.reporting.render import render_pdf
from tests.assets.reporting.conftest import one_page

PDF = render_pdf(one_page())


def changed(change: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(PDF)) as pdf:
        change(pdf)
        pdf.save(out)
    return out.getvalue()


def test_a_rendered_page_passes() -> None:
    check_pdf(PDF)


def drop_metadata(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.Metadata


def drop_tags(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.StructTreeRoot


def drop_intent(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.OutputIntents


def drop_fonts(pdf: pikepdf.Pdf) -> None:
    for item in pdf.objects:
        if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor":
            for name in ("/FontFile2", "/FontFile3"):
                if name in item:
                    del item[name]


def add_script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Extra = pdf.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop_metadata, "no XMP"),
        (drop_tags, "no structure tree"),
        (drop_intent, "output intent"),
        (drop_fonts, "not embedded"),
        (add_script, "JavaScript"),
    ],
)
def test_the_gate_sees(change: Callable[[pikepdf.Pdf], None], said: str) -> None:
    with pytest.raises(PdfGateError, match=said):
        check_pdf(changed(change))
