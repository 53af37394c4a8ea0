"""Makes sample reports, each page as a picture, to be looked at; with --docs also the pictures of the documentation.

    python scripts/report_samples.py /tmp/samples          every sample, every page
    python scripts/report_samples.py /tmp/samples --docs   the four reports of the demo factory, their first pages into docs/images/

The demo factory comes from the simulator; the others are small plants with difficult names, no data, one machine, 200 machines.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pypdfium2
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from assets.reporting.downloads import stored_file  # noqa: E402 - the path is set first
from assets.reporting.parameters import REPORT_TYPES  # noqa: E402 - as above
from assets.reporting.run import run  # noqa: E402 - as above
from tests.assets.reporting.conftest import NAMES, make_plant  # noqa: E402 - as above
from warehouse import reports  # noqa: E402 - as above
from warehouse.access.sign_in import factories  # noqa: E402 - as above
from warehouse.installation import Installation  # noqa: E402 - as above
from warehouse.queries.people import first_person  # noqa: E402 - as above
from warehouse.queries.summary import factory_of, local_midnight  # noqa: E402 - as above
from warehouse.settings import Settings, child_environment  # noqa: E402 - as above

DOCUMENTS = ROOT / "docs" / "images"
COLOURS = 128


@dataclass(frozen=True)
class Sample:
    """One report: its name, the installation it is made in, and what is asked for."""

    name: str
    report_type: str = "compliance"
    language: str = "en"
    days: int = 7


DEMO = [Sample(kind, kind) for kind in REPORT_TYPES] + [Sample("german", language="de"), Sample("vietnamese", language="vi")]
SMALL: dict[str, Callable[[Path], Path]] = {}


def small(name: str, names: tuple[str, ...], *, with_data: bool = True) -> None:
    """Adds a small plant to the samples."""

    def make(home: Path) -> Path:
        make_plant(home, names=names, with_data=with_data, end_now=True).installation.close()
        return home

    SMALL[name] = make


small("names", NAMES)
small("no-data", ("Press one", "Press two"), with_data=False)
small("one-device", ("Press one",))
small("200-devices", tuple(f"Press {number}" for number in range(200)))


def demo_home(folder: Path) -> Path:
    """An installation with the demo's factory and 30 days of history."""
    command = [sys.executable, "-m", "factoryops", "prepare", "--demo", "--history-days", "30", "--home", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=child_environment(APP_ENV="demo"), stdout=subprocess.DEVNULL)
    return folder


def pdf_of(home: Path, sample: Sample) -> bytes:
    """The sealed PDF of a sample. Raises RuntimeError when the report failed."""
    installation = Installation.open(Settings(factoryops_home=home, app_env="demo"))
    try:
        factory_id = factories(installation.db)[0].id
        end = local_midnight(installation.clock.now(), factory_of(installation.db, factory_id).timezone)
        asked = reports.NewReport(end - timedelta(days=sample.days), end, ["pdf"], report_type=sample.report_type, language=sample.language)
        row = reports.order(installation.db, installation.clock, factory_id, first_person(installation.db, factory_id), asked)
        if run(installation, row.id) != "complete":
            raise RuntimeError(reports.find(installation.db, factory_id, row.id).error_message)
        return stored_file(installation, factory_id, row.id, "pdf")[1]
    finally:
        installation.close()


def pages(pdf: bytes, scale: float = 1.25) -> Iterator[Image.Image]:
    """Every page as a picture."""
    opened = pypdfium2.PdfDocument(pdf)
    try:
        for page in opened:
            yield page.render(scale=scale).to_pil().convert("RGB")
    finally:
        opened.close()


def save(picture: Image.Image, path: Path) -> None:
    """As a small PNG: pages have few colours."""
    out = io.BytesIO()
    picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    path.write_bytes(out.getvalue())


def write(folder: Path, sample: Sample, home: Path, *, documents: bool) -> None:
    """The pages of one sample below `folder`."""
    pdf = pdf_of(home, sample)
    (folder / sample.name).mkdir(parents=True, exist_ok=True)
    (folder / sample.name / "report.pdf").write_bytes(pdf)
    for number, picture in enumerate(pages(pdf), start=1):
        save(picture, folder / sample.name / f"page-{number:02}.png")
        if documents and number <= 2:
            save(picture, DOCUMENTS / f"report-{sample.name.replace('_', '-')}{'-summary' if number == 2 else ''}.png")
    print(f"{sample.name}: {number} pages")


def main() -> None:
    """Makes what the command line asks for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--docs", action="store_true", help="only the demo's four reports, and their first pages into docs/images/")
    asked.add_argument("--only", default="", help="names of samples, separated by commas")
    given = asked.parse_args()
    wanted = {name for name in given.only.split(",") if name}
    with tempfile.TemporaryDirectory(prefix="factoryops-samples-") as place:
        demo = [s for s in (DEMO[:4] if given.docs else DEMO) if not wanted or s.name in wanted]
        home = demo_home(Path(place) / "demo") if demo else Path()
        for sample in demo:
            write(given.folder, sample, home, documents=given.docs)
        for name, make in SMALL.items() if not given.docs else ():
            if not wanted or name in wanted:
                write(given.folder, Sample(name, days=2), make(Path(place) / name), documents=False)


if __name__ == "__main__":
    main()
