"""Starts processes stage by stage, waits until each works, starts dead ones again, stops all in reverse order."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from factoryops import watchdog
from warehouse.errors import PermanentError

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
CALM_AFTER_S: Final = 60.0
"""A process that ran this long is no longer counted as failing."""
LOOK_EVERY_S: Final = 0.1
MOST_EARLY_DEATHS: Final = 3
LAST_LINES: Final = 15


class PartFailedError(PermanentError):
    """A process did not become ready; the message ends with what it said last."""


@dataclass(frozen=True)
class Part:
    """One process: how it is started and when it counts as working."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool]
    """Asks the process itself (a port, a health page, a row); may be slow, must not raise."""
    ready_within_s: float = 180.0
    """Generous: a busy machine is slow, and a process that cannot start dies or says so long before."""
    stop_within_s: float = 5.0
    stops_with: str = ""
    """Parts of the same name here are told to stop at the same moment; by default each stops alone, after those started later."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    reader: threading.Thread | None = None


def restart_delay_s(deaths: int) -> float:
    """How long to wait before the next start after `deaths` (1 or more) deaths in a row: doubles from 0.5 s up to 30 s."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(deaths - 1, 10))


class Supervisor:
    """Owns the processes of one installation. Use it from one thread: the kernel ties the children to the thread that started them."""

    def __init__(self, environment: Mapping[str, str], say: Callable[[str, str], None], folder: Path) -> None:
        """`say(name, line)` gets every line of every process, from several threads; `folder` is where the processes run."""
        self._marker = uuid4().hex
        self._environment = {**environment, watchdog.MARKER_NAME: self._marker}
        self._say = say
        self._folder = folder
        self._running: list[_Running] = []
        self._watchdog = self._start_watchdog()

    def start(self, stages: Sequence[Sequence[Part]], stop: threading.Event) -> None:
        """Starts the stages in order, the parts of one stage together. Returns when all are ready, or at once when `stop` is set.

        Raises PartFailedError when a part dies three times or is not ready in time; call `stop` then.
        """
        for stage in stages:
            found = [self._spawn_first(part) for part in stage]
            for running in found:
                self._wait_ready(running, stop)

    def watch(self, stop: threading.Event) -> None:
        """Starts processes that die again, until `stop` is set."""
        while not stop.wait(LOOK_EVERY_S):
            self.look()

    def look(self) -> None:
        """One look at all processes: notes deaths, starts again what is due."""
        now = time.monotonic()
        for running in self._running:
            if running.restart_at is not None:
                if now >= running.restart_at:
                    self._spawn_again(running)
            elif running.process.poll() is not None:
                self._note_death(running, now)

    def stop(self, within_s: float = 11.0) -> None:
        """Ends all processes, last started first; whoever does not end in its time is killed. Leaves none behind."""
        deadline = time.monotonic() + within_s
        for group in self._stop_groups():
            for running in group:
                self._end_group(running, signal.SIGTERM)
            told_at = time.monotonic()
            for running in group:
                until = min(told_at + running.part.stop_within_s, deadline)
                self._end(running, max(0.2, until - time.monotonic()))
        # Children of children that left their process group.
        watchdog.end(self._marker, patience_s=1.0, spare=[self._watchdog.pid])
        for running in self._running:
            if running.reader is not None:
                running.reader.join(1.0)
        self._running.clear()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        self._watchdog.wait(watchdog.PATIENCE_S + 2)

    def pid(self, name: str) -> int:
        """Process id of a part; raises StopIteration when there is none of that name."""
        return next(running.process.pid for running in self._running if running.part.name == name)

    def pids(self) -> dict[str, int]:
        """Process ids of all parts that run now."""
        return {r.part.name: r.process.pid for r in self._running if r.process.poll() is None}

    def _start_watchdog(self) -> subprocess.Popen[bytes]:
        # Without the marker, so that it does not end itself; in a group of its own, so that Ctrl-C passes it by.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, "watch", self._marker], stdin=subprocess.PIPE, process_group=0
        )

    def _spawn_first(self, part: Part) -> _Running:
        running = _Running(part, self._spawn(part), time.monotonic())
        self._running.append(running)
        self._read(running)
        return running

    def _spawn_again(self, running: _Running) -> None:
        running.process, running.started_at, running.restart_at = self._spawn(running.part), time.monotonic(), None
        self._read(running)

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", watchdog.__file__, "run", str(os.getpid()), "--", *part.command]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env={**self._environment, **part.environment},
            process_group=0,
        )

    def _read(self, running: _Running) -> None:
        running.reader = threading.Thread(
            target=self._pass_on, args=(running, running.process), name=f"log of {running.part.name}", daemon=True
        )
        running.reader.start()

    def _pass_on(self, running: _Running, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  # it was opened as a pipe
        with process.stdout as lines:
            for raw in lines:
                line = raw.decode(errors="replace").rstrip()
                running.last_lines.append(line)
                self._say(running.part.name, line)

    def _wait_ready(self, running: _Running, stop: threading.Event) -> None:
        deadline = time.monotonic() + running.part.ready_within_s
        while not running.part.is_ready():
            self.look()
            if running.deaths >= MOST_EARLY_DEATHS:
                raise self._failed(running, f"ended {running.deaths} times in a row")
            if time.monotonic() > deadline:
                raise self._failed(running, f"was not ready after {running.part.ready_within_s:g} s")
            if stop.wait(LOOK_EVERY_S):
                return

    def _failed(self, running: _Running, what: str) -> PartFailedError:
        said = "\n".join(f"  {line}" for line in running.last_lines)
        return PartFailedError(f"{running.part.name} {what}. What it said last:\n{said}", part=running.part.name)

    def _note_death(self, running: _Running, now: float) -> None:
        running.deaths = 1 if now - running.started_at > CALM_AFTER_S else running.deaths + 1
        delay_s = restart_delay_s(running.deaths)
        running.restart_at = now + delay_s
        self._end_group(running, signal.SIGKILL)
        self._say("supervisor", f"{running.part.name} {_how_it_ended(running.process.returncode)}; starting it again in {delay_s:g} s")

    def _stop_groups(self) -> list[list[_Running]]:
        """Last started first; those that stop together stand where the last of them would."""
        groups: dict[str, list[_Running]] = {}
        for running in reversed(self._running):
            groups.setdefault(running.part.stops_with or running.part.name, []).append(running)
        return list(groups.values())

    def _end(self, running: _Running, within_s: float) -> None:
        """Waits for the end of a process that was told to stop, and kills it when it does not come."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(within_s)
        if running.process.poll() is None:
            self._say("supervisor", f"{running.part.name} did not stop within {within_s:.1f} s and was killed")
        self._end_group(running, signal.SIGKILL)
        running.process.wait()

    def _end_group(self, running: _Running, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.process.pid, number)


def _how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
