"""Reports from order to file: every notebook headless, every format, hostile names, no data, two at once, the same again."""

import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import openpyxl
import polars as pl
import pypdfium2
import pytest

from assets.reporting import proof
from assets.reporting.analysis import sentences_of
from assets.reporting.downloads import stored_file
from assets.reporting.json_report import ReportJson
from assets.reporting.logo import remove_logo, set_logo
from assets.reporting.notebook_run import NotebookFailedError, NotebookStoppedError, notebook_of, run_notebook
from assets.reporting.parameters import REPORT_TYPES
from assets.reporting.pdf_gate import check_pdf
from assets.reporting.run import expire, run
from tests.assets.reporting.conftest import END, HOSTILE, START, Plant, make_plant, picture
from tests.fixtures.people import PASSWORD
from warehouse import ledger, reports
from warehouse.clock import ManualClock
from warehouse.errors import InvalidInputError
from warehouse.models.work import AnalyticsJob, Report
from warehouse.objects import ObjectStore
from warehouse.tenancy import tenant_session

KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def words_of(pdf: bytes) -> str:
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in opened)
    finally:
        opened.close()


def squeezed(text: str) -> str:
    """Without spaces and line breaks: where a long name breaks is the page's business."""
    return re.sub(r"[\s\u200b\x02\ufffe]+", "", text)


def content(made: tuple[Plant, Report], kind: str) -> bytes:
    plant, report = made
    return stored_file(plant.installation, 1, report.id, kind)[1]


def test_the_pdf_passes_the_gate_and_holds_names_of_every_script(made: tuple[Plant, Report]) -> None:
    pdf = content(made, "pdf")
    check_pdf(pdf)
    said = squeezed(words_of(pdf))
    for name in ("Máy phay Đà Nẵng", "北京数控机床", HOSTILE[:6]):
        assert squeezed(name) in said, name
    assert "\ufffd" not in said


def test_every_file_is_genuine(made: tuple[Plant, Report]) -> None:
    plant, report = made
    for kind in ("pdf", "excel", "json", "html", "csv", "parquet"):
        assert proof.verify(plant.installation, 1, content(made, kind), report.id).verdict == "genuine", kind


def test_excel_holds_hostile_text_as_text(made: tuple[Plant, Report]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(content(made, "excel")))
    cells = [
        cell for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str) and cell.value.startswith("=")
    ]
    assert cells
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in cells)
    assert sum(len(sheet._charts) for sheet in book) == 2


def test_csv_holds_no_formula(made: tuple[Plant, Report]) -> None:
    frame = pl.read_csv(content(made, "csv"))
    assert frame.height == pl.read_parquet(io.BytesIO(content(made, "parquet"))).height == int(made[0].installation.lake.reader(1).query(
        "SELECT count(*) AS n FROM telemetry WHERE ts >= $a", {"a": END - (END - made[1].date_range_start)})["n"][0])  # fmt: skip
    assert not [key for key in frame["device_key"].unique() if key.startswith(("=", "+", "@"))]


def test_json_is_what_its_schema_says_and_agrees_with_the_pages(made: tuple[Plant, Report]) -> None:
    found = ReportJson.model_validate(json.loads(content(made, "json")))
    assert len(found.machines) == 4
    assert [gap.device_id for gap in found.gaps] == [3]
    assert found.hours.fault > 0
    assert f"{len(found.alerts)} alerts were raised" in words_of(content(made, "pdf")).replace("\r\n", " ")


def test_html_escapes_names(made: tuple[Plant, Report]) -> None:
    page = content(made, "html").decode()
    assert "<script" not in page
    assert "北京数控机床" in page


def test_the_same_numbers_and_bytes_come_out_again(made: tuple[Plant, Report]) -> None:
    plant, report = made
    found = proof.reproduce(plant.installation, 1, report.id)
    assert found.same_data
    assert found.same_files == dict.fromkeys(("pdf", "excel", "html", "json", "csv", "parquet"), True)


def test_the_kernel_sees_no_settings(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@host/db")
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    parameters = nbformat.v4.new_code_cell('run_directory: str = ""\nfactory: str = ""\ndays: int = 7', metadata={"tags": ["parameters"]})
    notebook.cells = [parameters, nbformat.v4.new_code_cell("import os\nprint(sorted(os.environ))")]
    path = tmp_path / "look.ipynb"
    nbformat.write(notebook, path)
    (tmp_path / "run").mkdir()
    said = run_notebook(path, tmp_path / "run").cells[-1].outputs[0].text
    assert "DATABASE_URL" not in said
    assert "JWT" not in said
    assert os.environ["DATABASE_URL"].startswith("postgresql")


@pytest.mark.parametrize(("source", "error", "said"), [
    ("#| label: oven-page\nsecret = 'k3y'\nraise ValueError(secret)", NotebookFailedError, "oven-page"),
    ("import time\ntime.sleep(60)", NotebookStoppedError, "took longer than"),
])  # fmt: skip
def test_failures_are_told_in_words_without_code(tmp_path: Path, source: str, error: type[Exception], said: str) -> None:
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    parameters = nbformat.v4.new_code_cell('run_directory: str = ""\nfactory: str = ""\ndays: int = 7', metadata={"tags": ["parameters"]})
    notebook.cells = [parameters, nbformat.v4.new_code_cell(source)]
    path = tmp_path / "broken.ipynb"
    nbformat.write(notebook, path)
    (tmp_path / "run").mkdir()
    with pytest.raises(error, match=said) as failed:
        run_notebook(path, tmp_path / "run", time_limit_s=60 if error is NotebookFailedError else 5)
    assert "k3y" not in str(failed.value)


def test_a_notebook_without_our_parameters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")], metadata=KERNEL), path)
    with pytest.raises(InvalidInputError, match="parameters"):
        run_notebook(path, tmp_path)


@pytest.mark.parametrize("report_type", [kind for kind in REPORT_TYPES if kind != "compliance"])
def test_every_notebook_runs_headless(plant: Plant, report_type: str) -> None:
    report = plant.order(report_type=report_type)
    assert run(plant.installation, report.id) == "complete"
    pdf = stored_file(plant.installation, 1, report.id, "pdf")[1]
    check_pdf(pdf)


@pytest.mark.parametrize("names", [(), ("Only one",)])
def test_a_factory_without_data_is_told_that_it_was_not_monitored(tmp_path: Path, names: tuple[str, ...]) -> None:
    plant = make_plant(tmp_path / "home", names=names, with_data=False)
    report = plant.order(("pdf", "excel", "json"))
    assert run(plant.installation, report.id) == "complete", reports.find(plant.installation.db, 1, report.id).error_message
    assert "not monitored" in words_of(stored_file(plant.installation, 1, report.id, "pdf")[1])
    plant.installation.close()


def test_one_machine_is_spoken_of_as_one(tmp_path: Path) -> None:
    plant = make_plant(tmp_path / "home", names=("Only one",))
    set_logo(plant.installation, 1, 7, picture())
    report = plant.order(("pdf", "excel", "html"))
    assert run(plant.installation, report.id) == "complete", reports.find(plant.installation.db, 1, report.id).error_message
    said = words_of(stored_file(plant.installation, 1, report.id, "pdf")[1])
    assert "The machine ran without a fault" in " ".join(said.split())
    assert "data:image/png;base64," in stored_file(plant.installation, 1, report.id, "html")[1].decode()
    remove_logo(plant.installation, 1, 7)
    # Made again with the logo of then, which was kept with the inputs.
    assert proof.reproduce(plant.installation, 1, report.id).same_files == {"pdf": True, "excel": True, "html": True}
    plant.installation.close()


def test_two_hundred_machines_fit(tmp_path: Path) -> None:
    plant = make_plant(tmp_path / "home", names=tuple(f"Press {number}" for number in range(200)))
    report = plant.order(("pdf", "excel"), language="de")
    assert run(plant.installation, report.id) == "complete", reports.find(plant.installation.db, 1, report.id).error_message
    pdf = stored_file(plant.installation, 1, report.id, "pdf")[1]
    check_pdf(pdf)
    said = squeezed(words_of(pdf))
    assert all(squeezed(f"Press {number}") in said for number in (0, 99, 199))
    assert "Fortsetzung" in said
    plant.installation.close()


def test_the_analysis_that_was_ordered_is_in_the_report(plant: Plant) -> None:
    inst = plant.installation
    ObjectStore(inst.settings).write("factories/1/analyses/a.json", json.dumps({"anomalies": 3, "worst": {"score": 0.91234}}).encode())
    with tenant_session(inst.db, 1, write=True) as session:
        session.add(
            AnalyticsJob(
                id="5" * 36, created_by=7, job_type="anomaly", device_ids=[1], date_range_start=START, date_range_end=END,
                status="complete",
                result_url="factories/1/analyses/a.json", created_at=END, completed_at=END,
            )
        )  # fmt: skip
    report = plant.order(include_analytics=True)
    assert run(inst, report.id) == "complete"
    said = words_of(stored_file(inst, 1, report.id, "pdf")[1])
    assert "Anomalies" in said
    assert "worst · score" in said
    assert "0.9123" in said


def test_an_analysis_speaks_in_its_own_sentences_each_once() -> None:
    told = {
        "headline": "Two anomalies.",
        "findings": ["Two anomalies.", "M1: hot."],
        "machines": [1],
        "copilot": {"findings": ["M1: hot.", "Idle."]},
    }
    assert sentences_of(told) == [("result", "Two anomalies."), ("finding", "M1: hot."), ("explanation", "Idle.")]
    assert sentences_of({"headline": "x" * 900, "findings": 5, "copilot": None}) == [("result", "x" * 600)]


def test_two_at_once_do_not_disturb_each_other(plant: Plant) -> None:
    one, two = plant.order(title="Week alpha"), plant.order(title="Week beta")
    with ThreadPoolExecutor(2) as workers:
        assert list(workers.map(lambda report: run(plant.installation, report.id), (one, two))) == ["complete", "complete"]
    for report, own, other in ((one, "Week alpha", "Week beta"), (two, "Week beta", "Week alpha")):
        said = words_of(stored_file(plant.installation, 1, report.id, "pdf")[1])
        assert own in said
        assert other not in said
    assert ledger.check_chain(plant.installation.db, 1).is_intact


def test_review_and_approval_are_printed_sealed_and_ledgered(plant: Plant) -> None:
    report = plant.order()
    run(plant.installation, report.id)
    first = stored_file(plant.installation, 1, report.id, "pdf")[1]
    with pytest.raises(proof.SigningRefusedError, match="password"):
        proof.sign(plant.installation, 1, report.id, 7, password="wrong", meaning="reviewed")
    clock = plant.installation.clock
    assert isinstance(clock, ManualClock)
    for meaning in ("reviewed", "approved"):
        proof.sign(plant.installation, 1, report.id, 7, password=PASSWORD, meaning=meaning, comment=f"I have {meaning} it.")
    with pytest.raises(proof.SigningRefusedError, match="already"):
        proof.sign(plant.installation, 1, report.id, 7, password=PASSWORD, meaning="approved")
    signed = stored_file(plant.installation, 1, report.id, "pdf")[1]
    check_pdf(signed)
    said = words_of(signed)
    assert "I have reviewed it." in said
    assert "I have approved it." in said
    assert said.count("Linh Trần") >= 2
    assert [entry.kind for entry in ledger.entries(plant.installation.db, 1)] == ["report.made", "report.signed", "report.signed"]
    assert {proof.verify(plant.installation, 1, file).verdict for file in (first, signed)} == {"genuine"}


def test_expired_files_are_gone_and_their_digests_stay(plant: Plant) -> None:
    report = plant.order(("json",))
    run(plant.installation, report.id)
    kept = stored_file(plant.installation, 1, report.id, "json")[1]
    clock = plant.installation.clock
    assert isinstance(clock, ManualClock)
    clock.set(reports.find(plant.installation.db, 1, report.id).expires_at or clock.now())
    assert expire(plant.installation) == 1
    assert expire(plant.installation) == 0
    with pytest.raises(Exception, match="not in the store"):
        stored_file(plant.installation, 1, report.id, "json")
    assert proof.verify(plant.installation, 1, kept).verdict == "genuine"


def test_a_failed_report_says_why(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    report = plant.order(title="x", end=END.replace(year=END.year))
    monkeypatch.setattr("assets.reporting.run.notebook_of", lambda _kind: notebook_of("missing"))
    with pytest.raises(OSError, match="missing"):
        run(plant.installation, report.id)
    found = reports.find(plant.installation.db, 1, report.id)
    assert (found.status, "unexpected" in (found.error_message or "")) == ("failed", True)
