"""A whole demo in a folder of its own, for benchmarks and tests: started as people start it, stopped with SIGINT."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from factoryops import watchdog
from factoryops.up import ADDRESSES_FILE
from warehouse.settings import child_environment


class Demo:
    """`factoryops up --demo` on `home`, with any free ports; a context manager."""

    def __init__(
        self, home: Path, *, history_days: int = 1, environment: Mapping[str, str] | None = None, command: tuple[str, ...] = ()
    ) -> None:
        """`command` goes before the program, such as one that takes the network away. What it prints goes to `home`.out."""
        self.home, self.output = home, home.with_name(f"{home.name}.out")
        # Tied to us: a benchmark that is ended from outside leaves no demo behind.
        tie = (sys.executable, "-I", "-S", watchdog.__file__, "run", str(os.getpid()), "--")
        up = (sys.executable, "-m", "factoryops", "up", "--demo", "--home", str(home), "--history-days", str(history_days))
        self._command = (*tie, *command, *up)
        self._environment = child_environment(WEB_PORT="0", DAGSTER_PORT="0", MQTT_BROKER_PORT="0", **(environment or {}))
        self.process: subprocess.Popen[bytes] | None = None
        self.addresses: dict[str, int] = {}

    def start(self, within_s: float = 400) -> Self:
        """Starts it and returns when it has printed its box. Raises TimeoutError, or RuntimeError when it ended."""
        began = time.monotonic()
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=output, stderr=output, process_group=0)
        file = self.home / ADDRESSES_FILE
        while not file.exists() or not file.read_text():
            if self.process.poll() is not None:
                raise RuntimeError(f"the demo ended with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() - began > within_s:
                self.stop()
                raise TimeoutError(f"the demo was not ready after {within_s:g} s:\n{self.said()}")
            time.sleep(0.1)
        self.addresses = json.loads(file.read_text())
        return self

    def stop(self, number: signal.Signals = signal.SIGINT, within_s: float = 30) -> float:
        """Stops it like Ctrl-C; returns how many seconds that took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(within_s)
        return time.monotonic() - began

    def said(self) -> str:
        """The end of what it printed."""
        return self.output.read_text(errors="replace")[-6000:]

    def processes(self) -> dict[int, str]:
        """Living processes of this demo with their command lines, the supervisor included."""
        wanted, found = f"FACTORYOPS_HOME={self.home}".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = wanted in (folder / "environ").read_bytes().split(b"\0")
                is_ours = is_ours or (self.process is not None and int(folder.name) == self.process.pid)
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue  # it ended meanwhile
            if is_ours and line:
                found[int(folder.name)] = line
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
