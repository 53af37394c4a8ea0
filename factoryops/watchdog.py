"""Sees to it that nothing outlives the supervisor, not even when it is killed with -9. Standard library only: starts in 15 ms.

`run PARENT -- COMMAND...` becomes COMMAND, which gets SIGTERM from the kernel when its parent dies.
`watch MARKER` waits until its standard input ends, that is until the supervisor is gone however it went, and then ends every
process whose environment carries MARKER: also the children of children, of which the kernel tells nothing.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

MARKER_NAME = "FACTORYOPS_SUPERVISOR"
PR_SET_PDEATHSIG = 1
PATIENCE_S = 8.0


def run(parent: int, command: list[str]) -> None:
    """Replaces this process by `command`, tied to the life of process `parent`."""
    if sys.platform == "linux":
        # The tie survives exec. It is made here and not between fork and exec, where Python code may deadlock.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  # becoming the command is what this is for


def marked_processes(marker: str) -> list[int]:
    """Ids of the living processes, other than this one, that were started with `marker` in their environment. Empty without /proc."""
    wanted = f"{MARKER_NAME}={marker}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0") and not _is_zombie(folder):
                found.append(int(folder.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return [pid for pid in found if pid != os.getpid()]


def end(marker: str, patience_s: float = PATIENCE_S, spare: Iterable[int] = ()) -> None:
    """Asks all marked processes to end, and kills those that have not after `patience_s`."""
    spared = set(spare)
    deadline = time.monotonic() + patience_s
    left = _signal(marker, signal.SIGTERM, spared)
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid in marked_processes(marker) if pid not in spared]
    if left:
        _signal(marker, signal.SIGKILL, spared)


def _signal(marker: str, number: signal.Signals, spared: set[int]) -> list[int]:
    pids = [pid for pid in marked_processes(marker) if pid not in spared]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return pids


def _is_zombie(folder: Path) -> bool:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def watch(marker: str) -> None:
    """Waits for the end of standard input, then ends what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Ctrl-C and a closed terminal reach us too; we stay until the supervisor has gone.
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(4096):
        pass
    end(marker)


def main(arguments: list[str]) -> None:
    """Command line: `run PARENT -- COMMAND...` or `watch MARKER`."""
    if arguments[0] == "watch":
        watch(arguments[1])
    else:
        run(int(arguments[1]), arguments[3:])


if __name__ == "__main__":
    main(sys.argv[1:])
