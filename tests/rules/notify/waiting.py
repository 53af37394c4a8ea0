"""Messages that wait in an outbox."""

from sqlalchemy import select

from rules.evaluation import Evaluator
from rules.notify.channels import Channel
from rules.notify.outbox import Outbox
from tests.rules.installation import START, add_device, add_factory, add_rule, add_user, land, notifications, readings
from warehouse.clock import Clock, ManualClock
from warehouse.db import Database
from warehouse.models.alerting import Alert, Notification
from warehouse.tenancy import system_session


def raise_alert(
    db: Database,
    clock: Clock,
    *people: str,
    channels: dict[str, bool] | None = None,
    whatsapp_number: str | None = None,
    rule_name: str = "Hot",
) -> int:
    """An alert with a waiting message to each person; gives its id."""
    factory = add_factory(db)
    device = add_device(db, factory)
    add_rule(db, factory, name=rule_name, notification_channels=channels)
    for email in people:
        add_user(db, factory, email, whatsapp_number=whatsapp_number)
    land(db, readings(factory, device, [(0, {"spindle_temp": 85})]))
    Evaluator(db, app_url="http://factory.example", clock=clock).step()
    with system_session(db, "test") as session:
        return session.scalars(select(Alert.id).order_by(Alert.id.desc())).first() or 0


def outbox(db: Database, clock: ManualClock, email: Channel, whatsapp: Channel | None = None) -> Outbox:
    """An outbox without jitter."""
    channels = {"email": email} if whatsapp is None else {"email": email, "whatsapp": whatsapp}
    return Outbox(db, channels, clock, random=lambda: 0.5)


def only(db: Database) -> Notification:
    (found,) = notifications(db)
    return found


def is_sent(db: Database, alert_id: int) -> bool:
    with system_session(db, "test") as session:
        return bool(session.scalar(select(Alert.notification_sent).where(Alert.id == alert_id)))


__all__ = ["START", "is_sent", "only", "outbox", "raise_alert"]
