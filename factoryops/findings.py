"""What a check of `factoryops doctor` says."""

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
WARNING: Final = "warning"
WRONG: Final = "wrong"


@dataclass(frozen=True)
class Finding:
    """What one check found; `fix` says what to do about it."""

    what: str
    state: str
    said: str
    fix: str = ""
