"""The supervisor with real processes: small scripts that behave well and badly."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from factoryops import watchdog
from factoryops.supervisor import Part, PartFailedError, Supervisor, restart_delay_s
from tests.helpers import REPOSITORY, wait_until

SLEEPER = "import time\nprint('here', flush=True)\ntime.sleep(1000)"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(1000)"
# A child in a session of its own, as Dagster's runs and browsers make them: no signal to the group reaches it.
PARENT = """
import subprocess, sys, time
p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)
print(p.pid, flush=True)
time.sleep(1000)
"""


class Heard:
    """What the supervisor and its processes said."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def supervisor(tmp_path: Path, heard: Heard) -> Iterator[Supervisor]:
    made = Supervisor(dict(os.environ), heard, tmp_path)
    yield made
    made.stop(3)


def part(name: str, script: str, heard: Heard | None = None, **more: float) -> Part:
    is_ready = (lambda: bool(heard.of(name))) if heard else (lambda: True)
    return Part(name, (sys.executable, "-c", script), is_ready, **more)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("deaths", "delay_s"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (7, 30), (8, 30), (1000, 30)])
def test_the_pause_before_a_restart_doubles_up_to_half_a_minute(deaths: int, delay_s: float) -> None:
    assert restart_delay_s(deaths) == min(delay_s, 30)


def test_stages_start_in_order_and_wait_until_ready(supervisor: Supervisor, heard: Heard) -> None:
    slow = "import time; time.sleep(0.5); print('slow one', flush=True); time.sleep(1000)"
    supervisor.start([[part("first", slow, heard)], [part("second", SLEEPER, heard)]], threading.Event())
    assert [name for name, _ in heard.lines] == ["first", "second"]


def test_a_process_that_dies_is_started_again(supervisor: Supervisor, heard: Heard) -> None:
    supervisor.start([[part("worker", SLEEPER, heard)]], threading.Event())
    before = supervisor.pid("worker")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: supervisor.look() or len(heard.of("worker")) == 2, 10, "the worker speaks again")
    assert supervisor.pid("worker") != before
    assert "worker was killed by SIGKILL; starting it again in 0.5 s" in heard.of("supervisor")


def test_a_process_that_cannot_start_ends_the_start_with_what_it_said(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailedError, match=r"broken ended 3 times in a row(.|\n)*no such machine"):
        supervisor.start(
            [[Part("broken", (sys.executable, "-c", "raise SystemExit('no such machine')"), lambda: False)]], threading.Event()
        )


def test_a_process_that_is_never_ready_ends_the_start(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailedError, match=r"idle was not ready after 0.3 s"):
        supervisor.start([[Part("idle", (sys.executable, "-c", SLEEPER), lambda: False, ready_within_s=0.3)]], threading.Event())


def test_all_stop_in_reverse_order_and_none_is_left(tmp_path: Path, heard: Heard) -> None:
    tell = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))
print('here', flush=True)
time.sleep(1000)
"""
    supervisor = Supervisor(dict(os.environ), heard, tmp_path)
    supervisor.start([[part("first", tell, heard)], [part("second", tell, heard)]], threading.Event())
    pids = supervisor.pids()
    supervisor.stop()
    assert [name for name, line in heard.lines if line == "bye"] == ["second", "first"]
    assert not any(lives(pid) for pid in pids.values())


def test_whoever_does_not_listen_is_killed_in_time(tmp_path: Path, heard: Heard) -> None:
    supervisor = Supervisor(dict(os.environ), heard, tmp_path)
    supervisor.start([[part("deaf", DEAF, heard, stop_within_s=0.5)]], threading.Event())
    pid, began = supervisor.pid("deaf"), time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3
    assert not lives(pid)


def test_children_of_children_are_ended_too(tmp_path: Path, heard: Heard) -> None:
    supervisor = Supervisor(dict(os.environ), heard, tmp_path)
    supervisor.start([[part("parent", PARENT, heard)]], threading.Event())
    grandchild = int(heard.of("parent")[0])
    assert lives(grandchild)
    supervisor.stop()
    assert not lives(grandchild)


def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    script = f"""
import os, sys, threading, time
from pathlib import Path
from factoryops.supervisor import Part, Supervisor
s = Supervisor(dict(os.environ), lambda name, line: print(name, line, flush=True), Path({str(tmp_path)!r}))
s.start([[Part("parent", (sys.executable, "-c", {PARENT!r}), lambda: True)]], threading.Event())
print("me", s.pid("parent"), flush=True)
time.sleep(1000)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    with process.stdout as said:
        pids = [int(said.readline().split()[1]) for _ in range(2)]
        assert all(lives(pid) for pid in pids)
        process.kill()
        process.wait()
    wait_until(lambda: not any(lives(pid) for pid in pids), watchdog.PATIENCE_S + 2, "child and grandchild are gone")
