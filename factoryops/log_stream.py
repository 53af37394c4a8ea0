"""All that the processes say, as one stream: coloured by process on the terminal, and in a file that does not grow for ever."""

import logging
import re
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from warehouse.clock import Clock

LOG_FILE: Final = Path("logs") / "factoryops.log"
"""Inside FACTORYOPS_HOME."""
LARGEST_FILE_BYTES: Final = 10_000_000
KEPT_FILES: Final = 3
COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow", "bright_magenta")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class LogStream:
    """Takes lines from many threads and writes each whole."""

    def __init__(self, console: Console, file: Path, clock: Clock) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._console: Console | None = console
        self._clock = clock
        self._quiet: frozenset[str] = frozenset()
        self._file = RotatingFileHandler(file, maxBytes=LARGEST_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
        self._guard = threading.Lock()
        self._width = 12

    def say(self, name: str, line: str) -> None:
        """Writes one line of process `name`."""
        plain = _ANSI.sub("", line)
        if not plain.strip():
            return
        with self._guard:
            line = f"{self._clock.now():%Y-%m-%d %H:%M:%S} {name:<{self._width}} {plain}"
            self._file.emit(logging.makeLogRecord({"msg": line}))
            if name not in self._quiet and self._console is not None:
                self._print(name, plain)

    def _print(self, name: str, plain: str) -> None:
        try:
            text = Text.assemble((f"{name:<{self._width}} ", colour_of(name)), ("│ ", "dim"), plain)
            self._console.print(text, soft_wrap=True)  # type: ignore[union-attr]  # asked by the caller
        except (OSError, SystemExit):
            # The terminal is gone (rich makes SystemExit of a broken pipe); processes whose lines nobody takes would stand still.
            self._console = None

    def quiet(self, *names: str) -> None:
        """From now on only the file gets what these processes say."""
        self._quiet = frozenset(names)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def colour_of(name: str) -> str:
    """The colour of a process: the same at each start."""
    return COLOURS[sum(name.encode()) % len(COLOURS)]
