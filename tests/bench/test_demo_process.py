"""A demo that a benchmark has started does not outlive it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.demo_process import Demo
from tests.helpers import REPOSITORY, wait_until


@pytest.mark.slow
def test_a_benchmark_that_is_killed_leaves_no_demo_behind(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from bench.demo_process import Demo; Demo(Path({str(tmp_path / 'home')!r})).start()"
    demo = Demo(tmp_path / "home")
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY) as benchmark:
        wait_until(demo.processes, 60, "the demo prepares itself")
        benchmark.kill()
    wait_until(lambda: not demo.processes(), 30, "all its processes are gone")
