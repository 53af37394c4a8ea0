"""Server-sent events: what changes in a factory, as it changes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from api.schemas.common import rfc3339
from warehouse.access.sessions import Identity
from warehouse.errors import RetryableError
from warehouse.installation import Installation
from warehouse.queries.stream import alert_news, newer_values, newest_event

LOOKED_EVERY_S: Final = 1.0
HEARTBEAT_EVERY_S: Final = 15.0
STILL_ALLOWED_EVERY_S: Final = 10.0
# A value that was received earlier may be committed a little later.
_OVERLAP: Final = timedelta(seconds=5)


@dataclass
class Watch:
    """What one client watches, and how far it has come."""

    inst: Installation
    who: Identity
    device_id: int | None
    after_event: int | None
    """None: from the newest alert event on."""
    is_still_allowed: Callable[[], bool]
    _said: dict[tuple[int, str], datetime] = field(default_factory=dict)
    _received_from: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def look(self) -> list[str]:
        """Events since the last look, ready to be sent; the first look gives all values as they are."""
        inst, factory_id = self.inst, self.who.factory_id
        if self.after_event is None:
            self.after_event = newest_event(inst.db, factory_id)
        found = self._values()
        for news in alert_news(inst.db, factory_id, self.after_event, self.device_id):
            self.after_event = news.event_id
            told = {
                "kind": news.kind, "happened_at": rfc3339(news.happened_at), "alert_id": news.alert_id, "rule_name": news.rule_name,
                "device_id": news.device_id, "device_key": news.device_key, "severity": news.severity, "message": news.message,
                "details": news.details,
            }  # fmt: skip
            found.append(event("alert", told, news.event_id))
        return found

    def _values(self) -> list[str]:
        by_device: dict[int, list[dict[str, Any]]] = {}
        for value in newer_values(self.inst.db, self.who.factory_id, self._received_from, self.device_id):
            key = (value.device_id, value.parameter_key)
            self._received_from = max(self._received_from, value.received_at - _OVERLAP)
            if self._said.get(key) == value.ts:
                continue
            self._said[key] = value.ts
            said = value.text if value.value is None else value.value
            by_device.setdefault(value.device_id, []).append(
                {"parameter_key": value.parameter_key, "value": said, "timestamp": rfc3339(value.ts)}
            )
        return [event("values", {"device_id": device_id, "values": values}) for device_id, values in by_device.items()]


def event(name: str, data: dict[str, Any], event_id: int | None = None) -> str:
    """One event on the wire."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


async def stream(watch: Watch, duration_s: float, is_gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    """Events until the client goes, its sign-in ends, or `duration_s` have passed; a comment each 15 s keeps proxies awake."""
    began = spoke = asked = time.monotonic()
    yield "retry: 3000\n\n"
    while time.monotonic() - began < duration_s and not await is_gone():
        now = time.monotonic()
        try:
            if now - asked >= STILL_ALLOWED_EVERY_S:
                asked = now
                if not await run_in_threadpool(watch.is_still_allowed):
                    return
            found = await run_in_threadpool(watch.look)
        except RetryableError:
            # The client comes back by itself, and is told then what it missed.
            return
        if found or now - spoke >= HEARTBEAT_EVERY_S:
            spoke = now
            yield "".join(found) or ": still here\n\n"
        await asyncio.sleep(min(LOOKED_EVERY_S, max(0.0, duration_s - (now - began))))
