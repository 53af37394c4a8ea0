"""What has arrived and is not landed yet: filled by the network thread, emptied by the landing thread."""

import threading
from collections import deque
from typing import Final

from ingest.flush import Incoming

MOST_MESSAGES: Final = 50_000
MOST_BYTES: Final = 64 << 20


class Inbox:
    """A bounded queue for one thread on each side. It never drops: who fills it looks at `is_full` and stops reading."""

    def __init__(self, most_messages: int = MOST_MESSAGES, most_bytes: int = MOST_BYTES) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._waiting: deque[Incoming] = deque()
        self._something = threading.Event()
        # Each is written by one thread only, so neither needs a lock.
        self._bytes_in = 0
        self._bytes_out = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """True while nothing more should be read from the broker."""
        return len(self._waiting) >= self._most_messages or self._bytes_in - self._bytes_out >= self._most_bytes

    def put(self, message: Incoming) -> None:
        """Adds one message."""
        self._waiting.append(message)
        self._bytes_in += len(message.payload)
        if not self._something.is_set():
            self._something.set()

    def wait(self, timeout_s: float) -> bool:
        """Waits until something is there; False when nothing came."""
        return self._something.wait(timeout_s)

    def take(self, most: int) -> list[Incoming]:
        """The oldest messages, at most `most`."""
        # Cleared before looking: a message that is put meanwhile sets it again.
        self._something.clear()
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes_out += sum(len(message.payload) for message in taken)
        if self._waiting:
            self._something.set()
        return taken
