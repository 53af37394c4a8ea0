"""`python -m pipelines.code_server OPTIONS`: Dagster's code server (`dagster api grpc OPTIONS`) with our definitions, quick to stop.

Not `dagster code-server start`: that one keeps the real server in a child process, and was measured to stay up without it for
ever when the child dies; it also costs 100 MB and a hop a tick.
"""

import sys

from dagster._cli import main as dagster

from pipelines.stopping import stop_on_interrupt

if __name__ == "__main__":
    stop_on_interrupt()
    sys.argv[1:1] = ["api", "grpc", "-m", "pipelines.definitions"]
    dagster()
