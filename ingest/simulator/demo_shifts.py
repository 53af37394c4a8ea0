"""What the demo's factories call their shifts; the machines' regimes (`ingest.simulator.shifts`) change at the same hours."""

from datetime import time
from typing import Final

from warehouse.shifts import Shift

SHIFTS: Final = {
    "vpc": (Shift("Ca 1", time(6), time(14)), Shift("Ca 2", time(14), time(22)), Shift("Ca 3", time(22), time(6))),
    "nordwerk": (Shift("Früh", time(6), time(14)), Shift("Spät", time(14), time(22)), Shift("Nacht", time(22), time(6))),
}
"""By the factory's slug."""
