"""How this process is told to stop: draining ticks and the standby look at `STOP` and end within a poll.

Dagster's code server waits for calls in flight when it is asked to end. Without this flag a stop would take as long as a tick.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOP = threading.Event()
_installed: set[signal.Signals] = set()


def stop_on_signals() -> None:
    """Sets `STOP` on SIGTERM and SIGINT and then does what was to be done before. Only the main thread can; elsewhere nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if number not in _installed:
            _installed.add(number)
            signal.signal(number, _chained(signal.getsignal(number)))


def _chained(before: Any) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        STOP.set()
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            # Without a handler of its own the process would have ended here.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return handle
