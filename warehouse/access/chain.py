"""How an audit event is chained to the one before: a hash over everything it says. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

START: Final = "0" * 64
"""What the first event of a factory is chained to."""
FIELDS: Final = ("factory_id", "position", "user_id", "address", "action", "target", "happened_at", "reason", "before", "after")


def chained_hash(previous: str, event: Mapping[str, Any]) -> str:
    """sha256 in hex over the FIELDS of an event and the hash of the one before. `happened_at` is an aware datetime."""
    said = {name: event[name] for name in FIELDS}
    said["happened_at"] = moment_text(said["happened_at"])
    text = json.dumps([previous, said], sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def moment_text(moment: datetime) -> str:
    """A moment the way it is hashed: UTC with microseconds, which every database keeps."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
