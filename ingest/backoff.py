"""Growing pauses between tries."""

import random


class Backoff:
    """Pauses that double from `first_s` to `most_s`, each shortened by up to a quarter so that many do not try in step."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait before the next try, in seconds."""
        pause_s = self._next_s
        self._next_s = min(self._most_s, pause_s * 2)
        return pause_s * (1 - random.random() / 4)  # noqa: S311  # no secret

    def reset(self) -> None:
        """Begins anew after a success."""
        self._next_s = self._first_s
