"""What notebook authors write: a report that is opened on one run's data, and one call a block.

Each call shows its block in Jupyter and leaves it in the notebook's output, where the exporter finds it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from IPython.display import display

from assets.reporting.blocks import MIME, Data, plain
from assets.reporting.html import block_html
from assets.reporting.numbers import Writer
from assets.reporting.parameters import NotebookParameters
from assets.reporting.run_data import RunData
from assets.reporting.words import Language

Emit = Callable[[Data], None]


def period_text(run: RunData, *, long: bool = False) -> str:
    """The period as heads of pages print it; with `long` as the cover does."""
    w, last = run.write, run.end - timedelta(seconds=1)
    whole_days = all(w.local(moment).hour == w.local(moment).minute == 0 for moment in (run.start, run.end))
    if not whole_days:
        return run.words("{start} to {end}", start=w.stamp(run.start), end=w.stamp(run.end))
    if long:
        week = w.local(run.start).isocalendar()
        text = run.words(
            "{start_day} {start} to {end_day} {end}",
            start_day=w.words.days[w.local(run.start).weekday()], start=w.date(run.start),
            end_day=w.words.days[w.local(last).weekday()], end=w.date(last),
        )  # fmt: skip
        return text + (run.words(", ISO week {week}", week=week.week) if len(run.days) == 7 and week.weekday == 1 else "")
    if len(run.days) == 1:
        return w.date(run.start)
    return run.words("{start} to {end}", start=w.date(run.start), end=w.date(last))


class Report:
    """Blocks of one report. Text may hold `**bold**`, `` `mono` `` and `@fig-x`; names of people go through `plain`."""

    def __init__(self, run: RunData, emit: Emit) -> None:
        self.run = run
        self.t: Language = run.words
        self.w: Writer = run.write
        self._emit = emit

    @classmethod
    def open(cls, run_directory: str = "", factory: str = "", days: int = 7) -> "Report":
        """The report of a run directory, or, in Jupyter, of the last whole days of a factory of this installation.

        Raises pydantic's ValidationError for wrong parameters.
        """
        asked = NotebookParameters(run_directory=run_directory, factory=factory, days=days)
        if asked.run_directory:
            run = RunData(Path(asked.run_directory))
            emit: Emit = _leave
        else:
            from assets.reporting.interactive import run_of_factory  # noqa: PLC0415  # needs the installation's storages; headless runs have none

            run = run_of_factory(asked.factory, asked.days)
            emit = _shower(run)
        report = cls(run, emit)
        report._emit({"kind": "meta", "facts": meta_facts(run)})
        return report

    def block(self, kind: str, **data: Any) -> None:
        """Any block of the template."""
        self._emit({"kind": kind, **data})

    def heading(self, text: str, level: int = 1, *, new: bool = True, label: str | None = None) -> None:
        """A numbered heading; level 1 starts a page unless `new` is False."""
        self.block("heading", text=text, level=level, new=new, label=label)

    def lead(self, text: str) -> None:
        """One or two sentences that say what a section found."""
        self.block("lead", text=text)

    def text(self, *paragraphs: str, note: str | None = None) -> None:
        """Paragraphs, with a side note on wish."""
        self.block("prose", paragraphs=list(paragraphs), note=note)

    def subhead(self, text: str) -> None:
        """A heading without a number."""
        self.block("subhead", text=text)

    def verdict(self, text: str) -> None:
        """The one sentence that a reader with one minute reads."""
        self.block("verdict", text=text)

    def note(self, text: str) -> None:
        """Small print."""
        self.block("note", text=text)

    def kpis(self, *items: Data) -> None:
        """Key figures: label, value, unit, compare, and a trend of numbers on wish."""
        self.block("kpis", items=list(items))

    def finding(self, no: int, severity: str, title: str, body: str, evidence: str) -> None:
        """A finding with its evidence."""
        self.block("finding", no=no, severity=severity, title=title, body=body, evidence=evidence)

    def callout(self, title: str, text: str) -> None:
        """What must not be overlooked."""
        self.block("callout", title=title, text=text)

    def empty(self, title: str, text: str) -> None:
        """Says why there is nothing to show: unknown is never shown as zero."""
        self.block("empty", title=title, text=text)

    def figure(self, svg: str, caption: str, alt: str, label: str | None = None, note: str | None = None, **more: Any) -> None:
        """A chart; the caption states the finding, `alt` tells what the picture shows."""
        self.block("figure", svg=svg, caption=caption, alt=alt, label=label, note=note, **more)

    def multiples(self, rows: Sequence[Data], caption: str, label: str | None = None, note: str | None = None) -> None:
        """Rows of small charts: title, sub, facts, svg, alt."""
        self.block("multiples", rows=list(rows), caption=caption, label=label, note=note)

    def table(
        self, columns: str, align: str, widths: str, rows: Sequence[Any], caption: str | None = None, label: str | None = None, **more: Any
    ) -> None:
        """A table: columns separated by |, one letter of l, r, c a column, widths in mm or fr."""
        self.block(
            "table", columns=columns.split("|"), align=align, widths=widths.split(), rows=list(rows), caption=caption, label=label, **more
        )

    @contextmanager
    def pair(self) -> Iterator[None]:
        """Puts the two blocks that are made inside side by side."""
        found: list[Data] = []
        keep, self._emit = self._emit, found.append
        try:
            yield
        finally:
            self._emit = keep
        left, right = found
        self.block("pair", left=left, right=right)

    def name(self, device_id: int) -> str:
        """A machine's key as text for blocks."""
        return plain(self.run.keys.get(device_id, f"#{device_id}"))


def meta_facts(run: RunData) -> Data:
    """What every page prints, and who has signed so far: the service that prepared it."""
    facts, w = run.facts, run.write
    sealed = run.prepared_at
    return {
        "title": facts["title"],
        "factory": facts["factory"]["name"],
        "period": period_text(run),
        "run": facts["run"],
        "zone": run.words("factory time, {zone}", zone=w.zone_name(run.start)),
        "sealed": [sealed.year, sealed.month, sealed.day, sealed.hour, sealed.minute, sealed.second],
        "paper": facts["paper"],
        "language": facts["language"],
        "short": not run.has_data,
        "signatures": [
            [
                run.words("Prepared"), plain(facts["prepared_by"]), plain(facts["prepared_for"]), w.stamp(run.prepared_at),
                run.words("Made from the snapshot below without manual change"),
            ],
            [run.words("Reviewed"), run.words("waiting"), "", "—", "—"],
            [run.words("Approved"), run.words("waiting"), "", "—", "—"],
        ],
    }  # fmt: skip


def _leave(block: Data) -> None:
    """Headless: the block alone."""
    display({MIME: block, "text/plain": block["kind"]}, raw=True)


def _shower(run: RunData) -> Emit:
    """In Jupyter: the block and how it looks."""
    words, signatures = run.words.template_words(), meta_facts(run)["signatures"]

    def show(block: Data) -> None:
        # Rows of signatures are filled in when the file is sealed; on the screen as they stand now.
        seen = block | {"rows": signatures} if block.get("rows", ()) is None else block
        display({MIME: block, "text/html": block_html(seen, words), "text/plain": block["kind"]}, raw=True)

    return show
