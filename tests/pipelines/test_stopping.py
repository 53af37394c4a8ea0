"""SIGTERM reaches draining ticks in the way that Dagster leaves open."""

import signal
import subprocess
import sys

import pytest

from tests.helpers import REPOSITORY

SCRIPT = """
import time
from pipelines.stopping import STOP, stop_on_interrupt
stop_on_interrupt()
from dagster._core.errors import raise_execution_interrupts
from dagster._utils.interrupts import setup_interrupt_handlers
setup_interrupt_handlers()  # as `dagster api grpc` does at its start
with raise_execution_interrupts():  # as it does round every import of user code
    pass
try:
    print("ready", flush=True)  # within the try: the signal may come before the next line runs
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted", STOP.is_set(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_flag_is_set_and_dagster_is_interrupted_as_before(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "interrupted True\n"
        assert process.wait(10) == 0
