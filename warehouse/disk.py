"""Room on the disk: what writes much asks first, because a database or a lake that runs out of it in the middle is worse than a pause."""

import shutil
from pathlib import Path
from typing import Final

_MB: Final = 1_000_000


def disk_problem(folder: Path, floor_mb: int) -> str:
    """What to do when the disk of `folder` has less than `floor_mb` MB free, in words; empty when it has enough."""
    free_mb = shutil.disk_usage(folder).free / _MB
    if free_mb >= floor_mb:
        return ""
    return (
        f"the disk of {folder} has {free_mb:,.0f} MB free, below the floor of {floor_mb:,} MB (DISK_FLOOR_MB): "
        "nothing more is written until there is room; delete what is not needed, or give it a larger disk"
    )
