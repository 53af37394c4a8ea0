"""`python -m pipelines.process code|daemon|webserver OPTIONS`: Dagster's three processes, quick to stop.

`code` is `dagster api grpc` with our definitions. Not `dagster code-server start`: that one keeps the real server in a child
process, and was measured to stay up without it for ever when the child dies; it also costs 100 MB and a hop a tick.

Each leaves without taking the interpreter apart: that was measured to take up to 5 s of one core after all work is done.
"""

import os
import sys
from collections.abc import Callable

from pipelines.signs import signs_of
from pipelines.stopping import stop_on_interrupt


def main(arguments: list[str]) -> None:
    """Runs one of the three until it is told to stop."""
    kind, options = arguments[0], arguments[1:]
    if kind == "code":
        stop_on_interrupt()
        leave_after(_dagster, ["dagster", "api", "grpc", "-m", "pipelines.definitions", *options])
    elif kind == "daemon":
        leave_after(_daemon, ["dagster-daemon", "run", *options])
    elif kind == "webserver":
        leave_after(_webserver, ["dagster-webserver", *options])
    else:
        sys.exit(f"no process {kind!r}: there are code, daemon and webserver")


def leave_after(work: Callable[[], None], command_line: list[str]) -> None:
    """Does `work` with that command line and ends the process with its exit code."""
    sys.argv[:] = command_line
    code: object = 1
    try:
        work()
        code = 0
    except SystemExit as done:
        code = done.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # An exception that is on its way is still shown by Python, hence no shortcut for it.
        if not isinstance(sys.exc_info()[1], Exception):
            os._exit(code if isinstance(code, int) else int(code is not None))


# Imported only in the process that runs them: each takes a second.
def _dagster() -> None:
    from dagster._cli import main as run  # noqa: PLC0415  # as said above

    run()


def _daemon() -> None:
    from dagster._daemon.cli import main as run  # noqa: PLC0415  # as said above

    with signs_of("daemon"):
        run()


def _webserver() -> None:
    from dagster_webserver.cli import main as run  # noqa: PLC0415  # as said above

    with signs_of("dagster"):
        run()


if __name__ == "__main__":
    main(sys.argv[1:])
