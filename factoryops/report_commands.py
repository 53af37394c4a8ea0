"""`factoryops report ...`: make, list, verify, reproduce, render and preview reports from a terminal."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from factoryops.at_home import FactorySlug, Home, factory_id_of, opened
from warehouse.errors import InvalidInputError, NotFoundError

app = typer.Typer(help="Reports: make, list, verify, reproduce, render.", no_args_is_help=True)


@app.command()
def make(
    report_type: Annotated[str, typer.Argument(help="compliance, weekly_equipment, energy or alarm_review.")] = "compliance",
    factory: FactorySlug = "",
    days: Annotated[int, typer.Option(min=1, max=92, help="Whole days up to last midnight, on the factory's clock.")] = 7,
    formats: Annotated[str, typer.Option(help="pdf, excel, json, html, csv, parquet; separated by commas.")] = "pdf",
    language: Annotated[str, typer.Option(help="en, de or vi.")] = "en",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    home: Home = None,
) -> None:
    """Order a report and make it at once, in this process."""
    from assets.reporting import run as reporting
    from assets.reporting.downloads import stored_file
    from warehouse import reports
    from warehouse.queries.people import first_person
    from warehouse.queries.summary import factory_of, local_midnight

    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        end = local_midnight(installation.clock.now(), factory_of(installation.db, factory_id).timezone)
        wanted = [name.strip() for name in formats.split(",") if name.strip()]
        asked = reports.NewReport(end - timedelta(days=days), end, wanted, report_type=report_type, language=language)
        order = reports.order(installation.db, installation.clock, factory_id, first_person(installation.db, factory_id), asked)
        status = reporting.run(installation, order.id, lambda percent, stage: print(f"{percent:3.0f} %  {stage}"))
        if status != "complete":
            raise InvalidInputError(
                f"the report failed: {reports.find(installation.db, factory_id, order.id).error_message}", path="report"
            )
        for kind in wanted:
            name, content = stored_file(installation, factory_id, order.id, kind)
            (out / name).write_bytes(content)
            print(f"{out / name}  {len(content):,} bytes")
        print(f"report {order.id}")


@app.command()
def logo(
    file: Annotated[Path | None, typer.Argument(help="PNG or JPEG; without it the logo is removed.", exists=True, dir_okay=False)] = None,
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """Put the factory's logo on the covers of its reports."""
    from assets.reporting.logo import remove_logo, set_logo
    from warehouse.queries.people import first_person

    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        person = first_person(installation.db, factory_id)
        if file is None:
            remove_logo(installation, factory_id, person)
            print("The logo was removed.")
        else:
            kept = set_logo(installation, factory_id, person, file.read_bytes())
            print(f"The logo stands on the next cover ({len(kept):,} bytes).")


@app.command()
def preview(
    report_type: Annotated[str, typer.Argument(help="compliance, weekly_equipment, energy or alarm_review.")] = "compliance",
    factory: FactorySlug = "",
    days: Annotated[int, typer.Option(min=1, max=92, help="Whole days up to last midnight, on the factory's clock.")] = 7,
    language: Annotated[str, typer.Option(help="en, de or vi.")] = "en",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("first-page.png"),
    home: Home = None,
) -> None:
    """Draw the first page as the data stand now; nothing is stored."""
    from uuid import UUID

    from pydantic import ValidationError

    from assets.reporting.draft import draft_page
    from assets.reporting.parameters import ReportOrder
    from warehouse.queries.summary import factory_of, local_midnight

    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        end = local_midnight(installation.clock.now(), factory_of(installation.db, factory_id).timezone)
        asked = {"report_type": report_type, "language": language, "start": end - timedelta(days=days), "end": end}
        try:
            order = ReportOrder.model_validate({"report_id": str(UUID(int=0)), "prepared_at": installation.clock.now(), **asked})
        except ValidationError as wrong:
            raise InvalidInputError(wrong.errors()[0]["msg"], path=str(wrong.errors()[0]["loc"][0])) from wrong
        out.write_bytes(draft_page(installation.settings, factory_id, order))
    print(out)


@app.command(name="list")
def list_reports(factory: FactorySlug = "", home: Home = None) -> None:
    """The newest reports of a factory."""
    from warehouse import reports

    with opened(home) as installation:
        for row in reports.latest(installation.db, factory_id_of(installation, factory)):
            print(
                f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {row.status:9} {row.report_type:17} {row.format:5} {row.error_message or ''}"
            )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The file to check.", exists=True, dir_okay=False)],
    report: Annotated[str, typer.Option(help="Id of the report that the file should belong to.")] = "",
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """Say whether a file is genuine, altered, unsigned or unknown. Exit code 0 only for genuine."""
    from assets.reporting.proof import verify as verify_file

    with opened(home) as installation:
        found = verify_file(installation, factory_id_of(installation, factory), file.read_bytes(), report or None)
    print(f"{found.verdict}: {found.reason}")
    for name, value in (("report", found.report_id), ("file", found.file_name), ("signer", found.signer), ("sealed", found.signed_at)):
        if value:
            print(f"  {name:7} {value}")
    raise typer.Exit(0 if found.verdict == "genuine" else 1)


@app.command()
def reproduce(report: Annotated[str, typer.Argument(help="Id of the report.")], factory: FactorySlug = "", home: Home = None) -> None:
    """Make a report again from its snapshot and compare. Exit code 0 when every number and every byte before sealing is the same."""
    from assets.reporting.proof import reproduce as again

    with opened(home) as installation:
        found = again(installation, factory_id_of(installation, factory), report)
    print(f"data   {'the same' if found.same_data else 'DIFFERENT'}")
    for kind, same in found.same_files.items():
        print(f"{kind:6} {'the same bytes' if same else 'different bytes'}")
    for change in found.changed_versions:
        print(f"version {change}")
    raise typer.Exit(0 if found.same_data and all(found.same_files.values()) else 1)


@app.command()
def render(
    notebook: Annotated[Path, typer.Argument(help="An executed notebook.", exists=True, dir_okay=False)],
    engine: Annotated[str, typer.Option(help="factoryops, or quarto for a draft without PDF/A and seal.")] = "factoryops",
    out: Annotated[Path | None, typer.Option(help="The PDF to write; default: beside the notebook.")] = None,
) -> None:
    """Render an executed notebook to an unsigned PDF."""
    target = out or notebook.with_suffix(".pdf")
    if engine == "quarto":
        render_with_quarto(notebook, target)
    else:
        import nbformat

        from assets.reporting.notebook_document import document_of
        from assets.reporting.render import render_pdf

        target.write_bytes(render_pdf(document_of(nbformat.read(notebook, as_version=4))))
    print(target)


def render_with_quarto(notebook: Path, target: Path) -> None:
    """A draft by the Quarto on the PATH. Raises NotFoundError when there is none."""
    program = shutil.which("quarto")
    if program is None:
        raise NotFoundError(
            "Quarto is not on the PATH. It is not part of FactoryOps; without --engine quarto our own engine is used.",
            noun="program",
            key="quarto",
        )
    command = [program, "render", str(notebook), "--to", "typst", "--no-execute", "--output", target.name]
    done = subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidInputError(f"Quarto could not render the draft: {done.stderr.strip()[-500:]}", path=str(notebook))
    made = notebook.parent / target.name
    if made != target:
        made.replace(target)
