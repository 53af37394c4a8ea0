"""How long an account pauses after wrong passwords: nothing for the first few tries, then ever longer. Pure."""

from datetime import datetime, timedelta
from typing import Final

FREE_TRIES: Final = 5
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
FREE_TRIES_OF_AN_ADDRESS: Final = 20
"""More than of an account: a whole plant may stand behind one address."""
FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""An address without a wrong password for this long begins anew."""


def pause_after(failed_logins: int, free_tries: int = FREE_TRIES) -> timedelta | None:
    """The pause that follows the n-th wrong password in a row: None before the fifth, then 1, 2, 4 ... at most 60 minutes."""
    if failed_logins < free_tries:
        return None
    doublings = min(failed_logins - free_tries, 10)
    return min(FIRST_PAUSE * int(2**doublings), LONGEST_PAUSE)


def is_locked(locked_until: datetime | None, now: datetime) -> bool:
    """Whether the account is still pausing at `now`."""
    return locked_until is not None and now < locked_until
