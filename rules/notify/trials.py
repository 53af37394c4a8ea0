"""A message that only shows whether a way to reach people works; sent at once, so that whoever asks sees what the service answers."""

import json
from typing import Final
from uuid import uuid4

from rules.notify.channels import ChannelOffError, Message
from rules.notify.outbox import channels_of
from rules.notify.templates import iso_z
from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

SUBJECT: Final = "FactoryOps: a test message"


def send_trial(
    settings: Settings, db: Database, clock: Clock, actor: audit.Actor, channel: str, recipient: str, *, webhook_id: int | None = None
) -> None:
    """Sends a test and notes it in the audit trail.

    Raises InvalidInputError without a recipient, ChannelOffError for a channel that is not set up, and what the service says.
    """
    if not recipient.strip():
        raise InvalidInputError("a test needs somebody to go to", path="recipient")
    channels = channels_of(settings, db, clock)
    if channel not in channels:
        raise ChannelOffError(f"there is no channel {channel}", channel=channel)
    now, name = clock.now(), f"trial-{uuid4()}"
    text = "Somebody asked FactoryOps for this test. Alerts will reach you in the same way.\n"
    body = json.dumps({"type": "test", "timestamp": iso_z(now), "data": {"message": text.strip()}}) if channel == "webhook" else text
    try:
        channels[channel].send(
            Message(0, None, channel, recipient.strip(), SUBJECT, body, name, now, 1, webhook_id=webhook_id, kind="trial")
        )
    finally:
        for each in channels.values():
            each.close()
    with tenant_session(db, actor.factory_id, write=True) as session:
        audit.append(session, "notification.trial", f"channel:{channel}", now, actor, after={"recipient": recipient.strip()})
