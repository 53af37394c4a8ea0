"""The first page as a picture, for the screen."""

import io

import pypdfium2


def first_page(pdf: bytes, scale: float = 1.25) -> bytes:
    """PNG of the first page; 1.25 gives about 744 x 1052 pixels for A4."""
    opened = pypdfium2.PdfDocument(pdf)
    try:
        out = io.BytesIO()
        opened[0].render(scale=scale).to_pil().save(out, format="PNG", optimize=True)
    finally:
        opened.close()
    return out.getvalue()
