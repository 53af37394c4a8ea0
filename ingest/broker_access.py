"""Who may sign in to a broker that asks us (EMQX over HTTP), and what they may do there. Mosquitto reads files (`ingest.broker`)."""

import hashlib
import hmac
from typing import Final

from sqlalchemy import select

from ingest import topics
from ingest.device_keys import verify_device_key
from warehouse.db import Database
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

PUBLISH: Final = "publish"
SUBSCRIBE: Final = "subscribe"
_INGESTER: Final = "ingester"


def sign_in(db: Database, settings: Settings, user_name: str, password: str) -> str:
    """The mark of the key that was used, when user and password belong together; empty when they do not.

    The broker hands the mark back with each question, so that a connection made with an older key can be told.
    """
    if _is_ingester(settings, user_name):
        known = settings.mqtt_password.get_secret_value()
        return _INGESTER if known and hmac.compare_digest(password.encode(), known.encode()) else ""
    hashed = _hash_of(db, user_name)
    return _mark(hashed) if hashed and verify_device_key(password, hashed) else ""


def may(db: Database, settings: Settings, user_name: str, mark: str, action: str, topic: str) -> bool:
    """Whether this connection may do this now: a device publish its own telemetry with its present key, the ingester read all telemetry."""
    if _is_ingester(settings, user_name):
        shared = topic.startswith(topics.SHARED) and topic.count("/") > 1 and topic.split("/", 2)[2] == topics.SUBSCRIPTION
        return mark == _INGESTER and action == SUBSCRIBE and (shared or topic == topics.SUBSCRIPTION)
    if action != PUBLISH or topic != f"factories/{user_name}/telemetry":
        return False
    hashed = _hash_of(db, user_name)
    return bool(hashed) and hmac.compare_digest(mark.encode(), _mark(hashed).encode())


def _is_ingester(settings: Settings, user_name: str) -> bool:
    return bool(settings.mqtt_username) and user_name == settings.mqtt_username


def _hash_of(db: Database, user_name: str) -> str:
    """The hash of an active device's key; empty when there is no such device or it has no key."""
    sender = topics.parse(f"factories/{user_name}/telemetry")
    if sender is None:
        return ""
    wanted = select(Device.api_key).join(Factory, Factory.id == Device.factory_id)
    wanted = wanted.where(Factory.slug == sender.slug, Device.device_key == sender.device_key, Device.is_active)
    with system_session(db, "who may sign in to the broker") as session:
        return session.scalar(wanted) or ""


def _mark(hashed: str) -> str:
    return hashlib.sha256(hashed.encode()).hexdigest()[:16]
