"""How a code server is told to stop: draining ticks and the standby look at `STOP` and end within a poll.

Dagster's code server waits for calls in flight when it is asked to end. Without this flag a stop would take as long as a tick.
"""

import signal
import threading
from types import FrameType

STOP = threading.Event()


def stop_on_interrupt() -> None:
    """Sets `STOP` on SIGINT, and on SIGTERM once Dagster has started; then interrupts as Python does. For the main thread.

    Dagster handles SIGTERM like SIGINT, with the SIGINT handler that it finds when it starts, and puts that one back after each
    import of user code. So it must be in place before, and cannot be put there by the definitions themselves.
    """
    signal.signal(signal.SIGINT, _interrupted)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    STOP.set()
    raise KeyboardInterrupt
