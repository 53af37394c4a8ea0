"""Work in a process of its own that is killed while it is at it: the kill comes after the work has begun, not while Python starts."""

import multiprocessing
import multiprocessing.context
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers import wait_until


def kill_during(work: Callable[..., object], *args: Any, flag: Path, within_s: float) -> bool:
    """Runs `work(*args)` in a new process and kills it up to `within_s` after it has begun; True when it had not come to its end.

    `flag` is a file that does not exist; `work` and `args` can be pickled.
    """
    process = context().Process(target=_announced, args=(flag, work, args))
    process.start()
    wait_until(lambda: flag.exists() or not process.is_alive(), timeout_s=60, message="the victim has begun", interval_s=0.002)
    time.sleep(random.uniform(0, within_s))
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    flag.unlink(missing_ok=True)
    assert process.exitcode in {0, -signal.SIGKILL}, f"it failed by itself: exit code {process.exitcode}"
    return process.exitcode != 0


def context() -> multiprocessing.context.ForkServerContext:
    """Victims are forked from a process that has imported what they need and done nothing with it: each starts a second sooner."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["warehouse.backup", "warehouse.maintenance", "warehouse.outgrow.move", "warehouse.rollups"])
    return found


def _announced(flag: Path, work: Callable[..., object], args: tuple[Any, ...]) -> None:
    flag.touch()
    work(*args)
