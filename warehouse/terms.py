"""Words and numbers that many parts share and that need no storage: importing them is free, also for a kernel that only draws."""

from datetime import timedelta
from typing import Final

SEVERITIES: Final = ("critical", "high", "medium", "low")
"""Of rules and alerts, worst first."""
POWER: Final = "power"
"""The parameter that holds a machine's power in watts."""
METER_KIND: Final = "Energy meter"
"""Kind of machine that measures what others draw."""
LONGEST_GAP: Final = timedelta(minutes=5)
"""For how long a reading of power stands for what comes after it."""
ANALYSIS_HEADLINE: Final = "result"
"""How reports call what an analysis says in one sentence."""
