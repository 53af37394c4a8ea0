"""The same as `ingest` with 5,000 devices."""

from collections.abc import Callable
from typing import Any, Final

from bench import ingest

DEVICES: Final = 5_000


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Measures bare paho, then everything, on a fresh installation in a temporary folder."""
    return ingest.run(progress, devices=DEVICES)
