"""What authors do: each notebook in Jupyter on a chosen factory, `jupyter nbconvert`, Quarto."""

import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner

from assets.reporting.blocks import MIME
from assets.reporting.notebook_run import notebook_of
from assets.reporting.parameters import REPORT_TYPES
from assets.reporting.pdf_gate import check_pdf
from factoryops.cli import app
from tests.assets.reporting.conftest import make_plant
from warehouse.settings import child_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose data end yesterday, as a person in Jupyter finds it."""
    home = tmp_path_factory.mktemp("jupyter") / "home"
    plant = make_plant(home, end_now=True)
    plant.installation.close()
    return home


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook of one author's page, run and saved."""
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    notebook.cells = [
        nbformat.v4.new_raw_cell("---\ntitle: Ovens\nauthor: Plant North\n---"),
        nbformat.v4.new_markdown_cell("# Ovens\n\nBoth kept their band, see @fig-band."),
        nbformat.v4.new_code_cell(
            "#| label: fig-band\n#| fig-cap: The band was kept\n#| fig-alt: A line between 840 and 845 degrees\n"
            "from IPython.display import SVG\n"
            """SVG('<svg xmlns="http://www.w3.org/2000/svg" width="100" height="20"><path d="M0 9H99" stroke="black"/></svg>')"""
        ),
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("authors") / "ovens.ipynb"
    NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize("report_type", list(REPORT_TYPES))
def test_a_notebook_runs_in_jupyter_on_a_chosen_factory(home: Path, report_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORYOPS_HOME", str(home))
    monkeypatch.setenv("APP_ENV", "development")
    notebook = nbformat.read(notebook_of(report_type), as_version=4)
    chosen = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    chosen.source = chosen.source.replace('factory: str = ""', 'factory: str = "donga"').replace("days: int = 7", "days: int = 2")
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    outputs = [output.data for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "data" in output]
    assert sum(MIME in data for data in outputs) > 10
    shown = "".join(data.get("text/html", "") for data in outputs)
    assert "Đông Á" in shown
    assert "without a fault" in shown or "alerts" in shown or "MWh" in shown


def test_nbconvert_knows_our_formats(executed: Path, tmp_path: Path) -> None:
    for form, suffix in (("factoryops-pdf", "pdf"), ("factoryops-html", "html")):
        command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", form, "--output-dir", str(tmp_path), str(executed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment())
        assert done.returncode == 0, done.stderr
        made = (tmp_path / f"ovens.{suffix}").read_bytes()
        if suffix == "pdf":
            check_pdf(made)
        else:
            assert b"The band was kept" in made


def test_render_makes_a_pdf_beside_the_notebook(executed: Path) -> None:
    done = CliRunner().invoke(app, ["report", "render", str(executed)])
    assert done.exit_code == 0, done.output
    check_pdf(executed.with_suffix(".pdf").read_bytes())


def test_without_quarto_on_the_path_the_message_says_what_to_do(executed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["report", "render", str(executed), "--engine", "quarto"])
    assert done.exit_code != 0
    assert "Quarto is not on the PATH" in done.output


def put_quarto(folder: Path, body: str) -> None:
    program = folder / "quarto"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_quarto_is_asked_for_a_draft_without_running_the_notebook(executed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_quarto(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/asked; printf draft > ovens-draft.pdf')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    target = tmp_path / "ovens-draft.pdf"
    done = CliRunner().invoke(app, ["report", "render", str(executed), "--engine", "quarto", "--out", str(target)])
    assert done.exit_code == 0, done.output
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[:6] == ["render", str(executed), "--to", "typst", "--no-execute", "--output"]
    assert target.read_text() == "draft"


def test_what_quarto_says_when_it_fails_is_shown(executed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_quarto(tmp_path, "echo 'no such format' >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = CliRunner().invoke(app, ["report", "render", str(executed), "--engine", "quarto"])
    assert done.exit_code != 0
    assert "no such format" in done.output
