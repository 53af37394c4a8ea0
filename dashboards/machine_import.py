"""A list of machines from CSV or Excel: first what it would do, row by row where something is wrong, then the change itself."""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from typing import Final

import streamlit as st

from dashboards import fmt, forms, resources, session, ui
from ingest.registration import devices_of
from ingest.sources.devices import FIELDS, converted, import_devices
from ingest.sources.maintenance import ImportResult
from ingest.sources.rows import RowSource, read_rows
from ingest.sources.uploads import kind_of_table
from warehouse.access.audit import append
from warehouse.tenancy import tenant_session

SHOWN_ROWS: Final = 8
SHOWN_PROBLEMS: Final = 50
COLUMNS: Final = tuple(FIELDS)
_LOOKED_AT: Final = "import-preview"
WORDS: Final = {"device_key": "Key", "name": "Name", "kind": "Kind", "region": "Area", "manufacturer": "Maker"}


@dataclass(frozen=True)
class Preview:
    """What a file would do, and how its first rows were understood."""

    result: ImportResult
    rows: list[dict[str, object]]


def page() -> None:
    """The tab."""
    if not session.identity().may_work:
        forms.look_only()
        return
    with st.container(key="card-import"):
        ui.draw(ui.section("Import a list", "new machines are added, known ones brought up to date, none deleted"))
        uploaded = st.file_uploader("CSV or Excel (.xlsx)", type=["csv", "xlsx"], key="import-file")
        if uploaded is None:
            _help()
            return
        content = uploaded.getvalue()
        try:
            found = _looked_at(uploaded.file_id, content)
        except Exception as problem:  # noqa: BLE001  # shown to the person: a spreadsheet may be broken in any way
            st.error(f"This file cannot be read: {getattr(problem, 'message', problem)}", icon=":material/error:")
            return
        draw(found)
        news = found.result.added + found.result.changed
        if st.button(f"Take over {fmt.plural(news, 'machine')}", type="primary", disabled=not news, key="import-go"):
            forms.attempt(lambda: take_over(uploaded.name, content), f"{fmt.plural(news, 'machine')} taken over")


def _looked_at(file_id: str, content: bytes) -> Preview:
    """The preview of the uploaded file, read once: a click elsewhere on the page must not read it again."""
    known = st.session_state.get(_LOOKED_AT)
    if known is None or known[0] != file_id:
        with st.spinner("Reading the list …"):
            known = st.session_state[_LOOKED_AT] = (file_id, preview(content))
    return known[1]


def _help() -> None:
    """Which columns are understood, a list to fill in, and the machines that there are."""
    who, inst = session.identity(), resources.installation()
    names = "".join(f"<span><b>{field}</b><span>{escape(', '.join(names[1:5]))}</span></span>" for field, names in FIELDS.items())
    ui.draw(f'<p>The first row names the columns; also understood:</p><div class="lines wide">{names}</div>')
    with st.container(horizontal=True):
        st.download_button("Empty list", as_csv([]), "machines.csv", "text/csv", icon=":material/download:", on_click="ignore")
        st.download_button(
            "All machines as a list",
            lambda: as_csv([{name: getattr(device, name) for name in COLUMNS} for device in devices_of(inst.db, who.factory_id)]),
            f"machines-{who.factory_slug}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="export-machines",
        )


def as_csv(rows: list[dict[str, object]]) -> str:
    """Rows as a list that can be imported again; what a spreadsheet would run as a formula gets an apostrophe before it. Pure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = ["" if row[name] is None else str(row[name]) for name in COLUMNS]
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells])
    return text.getvalue()


def preview(content: bytes) -> Preview:
    """What the file would do; nothing is changed. Raises InvalidInputError, or what the file's reader says."""
    with _kept(content) as path:
        source = RowSource(str(path))
        result = _imported(source, dry_run=True)
        rows = [converted(number, row, {}) for number, row in enumerate(islice(read_rows(source), SHOWN_ROWS), 1)]
    return Preview(result, rows)


def take_over(name: str, content: bytes) -> ImportResult:
    """Makes the change, and a line in the audit trail."""
    inst, actor = resources.installation(), forms.actor()
    st.session_state.pop(_LOOKED_AT, None)
    with _kept(content) as path:
        result = _imported(RowSource(str(path)), dry_run=False)
    facts = {"file": name[:200], "added": result.added, "changed": result.changed, "refused": len(result.problems)}
    with tenant_session(inst.db, actor.factory_id, write=True) as db_session:
        append(db_session, "device.import", "devices", inst.clock.now(), actor, after=facts)
    return result


def _imported(source: RowSource, *, dry_run: bool) -> ImportResult:
    return import_devices(resources.installation(), session.identity().factory_id, source, dry_run=dry_run)


@contextmanager
def _kept(content: bytes) -> Iterator[Path]:
    """The list as a file that is gone afterwards: the importers read files. Called after what is in it, not after its name."""
    with tempfile.TemporaryDirectory(prefix="machines-") as folder:
        path = Path(folder) / f"list.{kind_of_table(content)}"
        path.write_bytes(content)
        yield path


def draw(found: Preview) -> None:
    """What would happen: counts, rows that cannot be taken, and the first rows as they were understood."""
    result = found.result
    facts = (
        ("New", result.added),
        ("Changed", result.changed),
        ("As they are", result.unchanged),
        ("Cannot be taken", len(result.problems)),
    )
    ui.draw(
        '<div class="facts-row">' + "".join(f"<span>{word}<b>{number:,}</b></span>" for word, number in facts) + "</div>",
    )
    if result.problems:
        lines = "".join(f"<div><b>Row {line:,}</b> {escape(problem)}</div>" for line, problem in result.problems[:SHOWN_PROBLEMS])
        more = len(result.problems) - SHOWN_PROBLEMS
        ui.draw(f'<div class="refused">{lines}{f"<div>and {more:,} more</div>" if more > 0 else ""}</div>')
    head = "".join(f"<th>{word}</th>" for word in WORDS.values())
    body = "".join(
        f'<tr class="{"bad" if row["problem"] else ""}">' + "".join(f"<td>{escape(str(row[name] or '—'))}</td>" for name in WORDS) + "</tr>"
        for row in found.rows
    )
    ui.draw(f'<div class="scroll"><table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
    if result.rows > len(found.rows):
        ui.draw(f"<small>The first {len(found.rows)} of {result.rows:,} rows. New machines get their keys on their own pages.</small>")
