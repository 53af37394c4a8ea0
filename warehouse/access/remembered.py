"""Who asks, remembered for a second: a program that asks fifty times a second is looked up once.

    looked up --> remembered --for REMEMBERED_S--> looked up again
                      '--a sign-in, key, person or factory was changed in this process--> looked up again at once

What this process ends is ended for the very next request (`Database.access_version`); what another process ends is ended here within
`REMEMBERED_S`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from warehouse.access.sessions import Identity
from warehouse.clock import Clock
from warehouse.db import Database

REMEMBERED_S: Final = 1.0
_FOR: Final = timedelta(seconds=REMEMBERED_S)


@dataclass
class RememberedIdentities:
    """What was found by the secret that was shown; only people and keys that were let in. Safe in several threads."""

    db: Database
    clock: Clock
    most: int = 10_000
    _known: dict[str, tuple[object, datetime, Identity]] = field(default_factory=dict, repr=False)

    def found(self, secret: str) -> Identity | None:
        """Who showed `secret` a moment ago; None when it has to be looked up."""
        known = self._known.get(secret)
        if known is None:
            return None
        version, asked_at, identity = known
        now = self.clock.now()
        # A clock that was set back makes everything old.
        is_fresh = version is self.db.access_version and asked_at <= now < asked_at + _FOR
        return identity if is_fresh and now < identity.expires_at else None

    def look_up(self, secret: str, ask: Callable[[], Identity | None]) -> Identity | None:
        """What `ask` finds, remembered when it found somebody."""
        # Before the question: what changes while it is answered makes the answer old.
        version, now = self.db.access_version, self.clock.now()
        identity = ask()
        if identity is None:
            self._known.pop(secret, None)
            return None
        if len(self._known) >= self.most:
            self._known.clear()
        self._known[secret] = version, now, identity
        return identity
