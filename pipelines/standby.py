"""The third contender for the evaluator's lease: a thread in the code server, started with the first tick and never by an import.

Where the rules are shared out among several processes, it is this process's part of them (`rules.crew`). The daemon, the webserver and
`dagster definitions validate` load the same definitions and must not evaluate anything.
"""

import threading

from pipelines.stopping import STOP
from rules.crew import stand_by
from warehouse.settings import Settings

NAME = "evaluator standby"
_guard = threading.Lock()


def ensure_standby(settings: Settings) -> None:
    """Starts the standby of this process unless it runs."""
    with _guard:
        if STOP.is_set() or any(thread.name == NAME for thread in threading.enumerate()):
            return
        # A daemon thread: the interpreter does not wait for it, and what it does is safe to be cut off.
        threading.Thread(target=stand_by, args=(settings, STOP), name=NAME, daemon=True).start()
