"""Runs a report notebook in a fresh kernel of its own: talks over IPC sockets, sees no credentials, ends within a time limit."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import nbformat
import structlog
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook
from papermill.inspection import inspect_notebook

from assets.reporting.parameters import NotebookParameters
from assets.reporting.quarto import cell_options
from warehouse.errors import InvalidInputError, PermanentError, RetryableError
from warehouse.settings import bare_environment

NOTEBOOKS: Final = Path(__file__).parent.parent.parent / "notebooks" / "reports"
TIME_LIMIT_S: Final = 300.0
Progress = Callable[[float, str], None]
log = structlog.get_logger()


class NotebookFailedError(PermanentError):
    """A cell of the notebook failed; the message names the error and the section, never the code."""


class NotebookStoppedError(RetryableError):
    """The kernel died or the time limit passed; the same run may succeed later."""


def notebook_of(report_type: str) -> Path:
    """The notebook of a type of report."""
    return NOTEBOOKS / f"{report_type}.ipynb"


def run_notebook(path: Path, folder: Path, *, time_limit_s: float = TIME_LIMIT_S) -> NotebookNode:
    """The executed notebook for the run directory `folder`, whose frames are all that it gets.

    Raises InvalidInputError for a notebook without our parameters, NotebookFailedError and NotebookStoppedError.
    """
    parameters = NotebookParameters(run_directory=str(folder)).model_dump()
    missing = sorted(parameters.keys() - inspect_notebook(str(path)).keys())
    if missing:
        raise InvalidInputError(f"{path.name} has no parameters {', '.join(missing)} in its parameters cell", path="parameters")
    # papermill changes the notebook that it is given; `cwd` is not used, because it would move this whole process.
    notebook = nbformat.read(path, as_version=4)
    watch = _Watch(folder, time_limit_s)
    try:
        with watch:
            return execute_notebook(
                notebook,
                None,
                parameters=parameters,
                kernel_name="python3",
                progress_bar=False,
                kernel_manager_class=watch.manager_class(),
                resources={"metadata": {"path": str(folder)}},
                execution_timeout=int(time_limit_s) + 1,
            )
    except PapermillExecutionError as failed:
        section = _section_of(notebook, failed.exec_count)
        log.warning("report_notebook_failed", notebook=path.name, section=section, error=failed.ename, detail=failed.evalue)
        raise NotebookFailedError(
            f"the section “{section}” could not be made ({failed.ename})", section=section, error=failed.ename
        ) from failed
    except (CellTimeoutError, DeadKernelError) as stopped:
        why = f"took longer than {time_limit_s:.0f} s" if watch.is_over else "ended unexpectedly; the machine may be short of memory"
        raise NotebookStoppedError(f"making the report {why}") from stopped


def _section_of(notebook: NotebookNode, execution_count: int | None) -> str:
    """The label of the cell with that number of execution, as its author named it."""
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # papermill puts one cell of its own after the parameters.
    index = (execution_count or 0) - 2
    if not 0 <= index < len(codes):
        return "start"
    return str(cell_options(codes[index].source).get("label", f"cell {index + 1}"))


def _close_loop() -> None:
    """Closes the event loop that Jupyter made for this thread and would leave open; the next run gets a new one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ensure_event_loop().close()
        asyncio.set_event_loop(None)


class _Watch:
    """Kills the kernel when the whole run takes too long: papermill's own limit is for each cell."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.is_over = False
        self._folder = folder
        self._kernels: list[int] = []
        self._timer = threading.Timer(limit_s, self._stop)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_problem: object) -> None:
        self._timer.cancel()
        _close_loop()

    def manager_class(self) -> type[AsyncKernelManager]:
        """A kernel manager that starts kernels in the run directory and tells their process."""
        folder, kernels = str(self._folder), self._kernels
        # MPLCONFIGDIR: matplotlib's cache of fonts is made once, beside the run directories.
        environment = bare_environment(HOME=folder, IPYTHONDIR=folder, JUPYTER_RUNTIME_DIR=folder, MPLCONFIGDIR=str(self._folder.parent))

        class IsolatedKernelManager(AsyncKernelManager):
            """No port, no inherited environment."""

            def __init__(self, **more: Any) -> None:
                super().__init__(**more)
                self.transport = "ipc"
                self.ip = f"{folder}/kernel"

            async def _async_launch_kernel(self, kernel_cmd: list[str], **more: Any) -> None:
                # jupyter_client would add our environment to the one that it is given.
                more["env"] = environment
                # -P: a module in the run directory must not be imported in place of ours.
                await super()._async_launch_kernel([sys.executable, "-P", *kernel_cmd[1:]], **more)
                kernels.append(self.provisioner.pid)  # type: ignore[union-attr]  # set once the kernel is launched

            _launch_kernel = _async_launch_kernel

        return IsolatedKernelManager

    def _stop(self) -> None:
        self.is_over = True
        for process in self._kernels:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
