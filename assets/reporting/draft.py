"""The first page of a report before it is made: in a process of its own, so that the web server needs no chart libraries."""

import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from assets.reporting.parameters import ReportOrder
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings, child_environment

TIME_LIMIT_S: Final = 120.0
_FAILED: Final = 3
# The machine has few cores, and alerts come first: one preview at a time in a process.
_one_at_a_time = threading.Lock()


def draft_page(settings: Settings, factory_id: int, order: ReportOrder) -> bytes:
    """PNG of the first page as the data stand now; nothing is stored.

    Raises PermanentError with the reason, RetryableError after two minutes.
    """
    environment = child_environment(FACTORYOPS_HOME=str(settings.home), APP_ENV=settings.app_env)
    command = [sys.executable, "-m", "assets.reporting.draft", str(factory_id)]
    with _one_at_a_time:
        try:
            done = subprocess.run(
                command, input=order.model_dump_json().encode(), capture_output=True, env=environment, timeout=TIME_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise RetryableError("the first page took longer than two minutes; the machine is busy, or the period is long") from late
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise PermanentError(f"the first page cannot be drawn: {said[-1] if said and done.returncode == _FAILED else 'its process failed'}")


def _draw(factory_id: int, order: ReportOrder) -> bytes:
    """In the process of its own."""
    # Here and not above: the web server imports this file.
    from assets.reporting.author import Report, meta_facts  # noqa: PLC0415 - as above
    from assets.reporting.blocks import Data, document  # noqa: PLC0415 - as above
    from assets.reporting.collect import collect  # noqa: PLC0415 - as above
    from assets.reporting.render import render_pages  # noqa: PLC0415 - as above
    from assets.reporting.run_data import RunData  # noqa: PLC0415 - as above
    from assets.reporting.sections import opening  # noqa: PLC0415 - as above
    from warehouse.installation import Installation  # noqa: PLC0415 - as above

    installation = Installation.open(Settings.load())
    try:
        with tempfile.TemporaryDirectory(prefix="factoryops-report-") as name:
            collect(installation.db, installation.lake, installation.settings, factory_id, order, Path(name))
            run = RunData(Path(name))
            blocks: list[Data] = []
            report = Report(run, blocks.append)
            opening.nothing(report)
            opening.cover(report)
    finally:
        installation.close()
    meta = meta_facts(run) | {"words": run.words.template_words()}
    drawn = [block | {"rows": meta["signatures"]} if block.get("rows", ()) is None else block for block in blocks]
    # It is no report yet, and must not be taken for one.
    drawn = [block | {"class": run.words("Preview, not a report")} if block["kind"] == "cover" else block for block in drawn]
    return render_pages(document(meta, drawn), ppi=90)[0]


if __name__ == "__main__":
    from warehouse.errors import FactoryOpsError

    try:
        sys.stdout.buffer.write(_draw(int(sys.argv[1]), ReportOrder.model_validate_json(sys.stdin.read())))
    except FactoryOpsError as problem:
        sys.stderr.write(f"{problem.message}\n")
        raise SystemExit(_FAILED) from problem
