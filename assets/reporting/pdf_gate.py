"""A structural check of every PDF before it leaves: what PDF/A-2a and PDF/UA-1 demand and a machine can see. Not a full validation."""

import io
import re
from typing import Any, Final

import pikepdf

from warehouse.errors import PermanentError

_FORBIDDEN_ACTIONS: Final = {"/JavaScript", "/Launch", "/Sound", "/Movie", "/ImportData", "/ResetForm", "/Rendition"}


class PdfGateError(PermanentError):
    """The PDF would not pass as PDF/A-2a; `problems` lists why."""

    problems: list[str]


def check_pdf(pdf: bytes) -> None:
    """Raises PdfGateError that lists all problems."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        problems = [*_metadata(opened), *_catalog(opened), *_fonts(opened), *_figures(opened), *_objects(opened)]
    if problems:
        raise PdfGateError(f"the PDF fails its structural check: {'; '.join(problems)}", problems=problems)


def _metadata(pdf: pikepdf.Pdf) -> list[str]:
    if "/Metadata" not in pdf.Root:
        return ["no XMP metadata"]
    xmp = pdf.Root.Metadata.read_bytes().decode("utf-8", "replace")
    wanted = (("pdfaid:part", "2"), ("pdfaid:conformance", "A"), ("pdfuaid:part", "1"))
    return [f"XMP {name} is not {value}" for name, value in wanted if not re.search(rf"{name}(?:>|=[\"'])\s*{value}", xmp)]


def _catalog(pdf: pikepdf.Pdf) -> list[str]:
    root: Any = pdf.Root
    problems = []
    if pdf.is_encrypted:
        problems.append("encrypted")
    intents = root.get("/OutputIntents", [])
    if not any("/DestOutputProfile" in intent for intent in intents):
        problems.append("no output intent with a colour profile")
    if not bool(root.get("/MarkInfo", {}).get("/Marked", False)):
        problems.append("not tagged")
    if "/StructTreeRoot" not in root:
        problems.append("no structure tree")
    if "/Lang" not in root:
        problems.append("no language")
    if not bool(root.get("/ViewerPreferences", {}).get("/DisplayDocTitle", False)):
        problems.append("the title is not shown")
    problems += [f"{name} in the catalog" for name in ("/AA", "/OpenAction") if name in root and name == "/AA"]
    if "/Names" in root and "/JavaScript" in root.Names:
        problems.append("JavaScript")
    return problems


def _fonts(pdf: pikepdf.Pdf) -> list[str]:
    problems = []
    for font in _dictionaries(pdf, "/Font"):
        if font.get("/Subtype") in {"/CIDFontType0", "/CIDFontType2", "/Type1", "/TrueType"} and "/DescendantFonts" not in font:
            descriptor = font.get("/FontDescriptor")
            if descriptor is None or not any(name in descriptor for name in ("/FontFile", "/FontFile2", "/FontFile3")):
                problems.append(f"font {font.get('/BaseFont')} is not embedded")
        if font.get("/Subtype") == "/Type0" and "/ToUnicode" not in font:
            problems.append(f"font {font.get('/BaseFont')} has no ToUnicode")
    return problems


def _figures(pdf: pikepdf.Pdf) -> list[str]:
    missing = sum(1 for item in _dictionaries(pdf, "/StructElem") if item.get("/S") == "/Figure" and "/Alt" not in item)
    return [f"{missing} figures without alternative text"] if missing else []


def _objects(pdf: pikepdf.Pdf) -> list[str]:
    actions = {str(found.get("/S")) for found in _dictionaries(pdf, None) if found.get("/S") in _FORBIDDEN_ACTIONS}
    problems = [f"action {name}" for name in sorted(actions)]
    if any("/EmbeddedFile" in str(found.get("/Type", "")) for found in _dictionaries(pdf, "/EmbeddedFile")):
        problems.append("an embedded file")
    return problems


def _dictionaries(pdf: pikepdf.Pdf, kind: str | None) -> list[Any]:
    """Every dictionary of a type; with None every one that has an /S."""
    found: list[Any] = []
    for item in pdf.objects:
        if not isinstance(item, pikepdf.Dictionary | pikepdf.Stream):
            continue
        # Typst leaves /Type out of structure elements: they are known by their parent.
        matches = item.get("/Type") == kind or (kind == "/StructElem" and "/P" in item and "/S" in item) if kind else "/S" in item
        if matches:
            found.append(item)
    return found
