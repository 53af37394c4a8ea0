"""Evaluators in processes that are killed with SIGKILL, one after the other: `python -m tests.rules.killed_evaluator DATABASE_URL`.

It reads lines of a moment and a place: an evaluator steps at this moment of its clock, in a process that is forked unless one lives, and
dies at the place: `-` nowhere, one of PLACES at that instruction, a number so many microseconds after it was told. Each is answered with
`done` or `killed`. Forked, because a process that imports everything anew takes a second.
"""

import logging
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

import structlog

from rules import evaluation
from rules.evaluation import Evaluator
from tests.rules.timelines import usual
from warehouse.clock import ManualClock
from warehouse.db import Database

PLACES = ("read", "moved", "recorded", "committed")
"""After batches were read, inside the transaction after the cursor was moved, inside it after alerts were written, after it."""


@dataclass
class Child:
    """A process with an evaluator."""

    pid: int
    orders: TextIO
    answers: TextIO


def work(url: str, orders: TextIO, answers: TextIO) -> None:
    """The evaluator's process, until it is killed or has no more orders."""
    place = ""

    def dying(own: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            if place == own:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return called

    evaluation.landing.read_after = dying("read", evaluation.landing.read_after)
    evaluation.landing.move_cursor = dying("moved", evaluation.landing.move_cursor)
    evaluation.record_events = dying("recorded", evaluation.record_events)
    evaluation.Step = dying("committed", evaluation.Step)  # type: ignore[misc]  # this process only
    clock = ManualClock(datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    running = Evaluator(Database(url), app_url="http://localhost", clock=clock, baseline_at=usual)
    for line in orders:
        now, place = line.split()
        clock.set(datetime.fromisoformat(now))
        running.step()
        print("done", file=answers, flush=True)


def fork(url: str) -> Child:
    """A new evaluator."""
    (order_end, orders), (answers, answer_end) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.close(order_end)
        os.close(answer_end)
        return Child(pid, os.fdopen(orders, "w"), os.fdopen(answers))
    os.close(orders)
    os.close(answers)
    code = 1
    try:
        work(url, os.fdopen(order_end), os.fdopen(answer_end, "w"))
        code = 0
    except Exception:  # noqa: BLE001  # said, and told by the exit code
        traceback.print_exc()
    finally:
        os._exit(code)  # nothing of the parent's is to be tidied up by the child


def ordered(child: Child, now: str, place: str) -> bool:
    """Tells it to step; False when it was killed."""
    print(now, place, file=child.orders, flush=True)
    if place.isdecimal() and not select.select([child.answers], [], [], int(place) / 1e6)[0]:
        os.kill(child.pid, signal.SIGKILL)
    elif child.answers.readline() == "done\n":
        return True
    child.orders.close()
    child.answers.close()
    _, status = os.waitpid(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        raise RuntimeError(f"the evaluator ended by itself: {status}")
    return False


def main(url: str) -> None:
    """Until there are no more orders."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # standard output holds answers
    child: Child | None = None
    print("ready", flush=True)
    for line in sys.stdin:
        child = child or fork(url)
        lives = ordered(child, *line.split())
        print("done" if lives else "killed", flush=True)
        child = child if lives else None
    if child is not None:
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)


if __name__ == "__main__":
    main(sys.argv[1])
