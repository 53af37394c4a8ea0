"""The nbconvert exporters `factoryops-pdf` and `factoryops-html`. Apart from what the service uses: importing nbconvert takes 40 MB."""

from typing import Any

from nbconvert.exporters import Exporter
from nbformat import NotebookNode

from assets.reporting.html import document_html
from assets.reporting.notebook_document import document_of
from assets.reporting.render import render_pdf


class FactoryOpsPdfExporter(Exporter):
    """`jupyter nbconvert --to factoryops-pdf`: PDF/A-2a + PDF/UA-1, unsigned."""

    file_extension = ".pdf"
    output_mimetype = "application/pdf"

    def from_notebook_node(  # type: ignore[override]  # nbconvert declares a notebook where its exporters return text or bytes
        self, nb: NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[bytes, dict[str, Any]]:
        """The PDF of an executed notebook."""
        _, found = super().from_notebook_node(nb, resources, **kw)
        return render_pdf(document_of(nb)), {**found, "output_extension": self.file_extension}


class FactoryOpsHtmlExporter(Exporter):
    """`jupyter nbconvert --to factoryops-html`: the same report as one page for the screen."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(  # type: ignore[override]  # as above
        self, nb: NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The HTML of an executed notebook; it loads nothing from elsewhere."""
        _, found = super().from_notebook_node(nb, resources, **kw)
        return document_html(document_of(nb)), {**found, "output_extension": self.file_extension}
