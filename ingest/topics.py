"""MQTT topics of telemetry: `factories/{slug}/devices/{device_key}/telemetry`. Pure."""

from typing import Final, NamedTuple

SUBSCRIPTION: Final = "factories/+/devices/+/telemetry"
SHARED: Final = "$share/"
LONGEST_TOPIC: Final = 1000
LONGEST_DEVICE_KEY: Final = 100


class Sender(NamedTuple):
    """Who a topic says that it comes from."""

    slug: str
    device_key: str


def telemetry_topic(slug: str, device_key: str) -> str:
    """The only topic that this machine may publish to."""
    return f"factories/{slug}/devices/{device_key}/telemetry"


def subscription(shared_group: str = "") -> str:
    """What an ingester subscribes to: all telemetry, or its share of it among the ingesters of `shared_group`."""
    return f"{SHARED}{shared_group}/{SUBSCRIPTION}" if shared_group else SUBSCRIPTION


def parse(topic: str) -> Sender | None:
    """The sender that a topic names; None when it is not a telemetry topic of ours or holds characters that nobody can see."""
    if len(topic) > LONGEST_TOPIC or not topic.isprintable():
        return None
    levels = topic.split("/")
    if len(levels) != 5 or (levels[0], levels[2], levels[4]) != ("factories", "devices", "telemetry"):
        return None
    slug, device_key = levels[1], levels[3]
    if not slug or not device_key or len(device_key) > LONGEST_DEVICE_KEY:
        return None
    return Sender(slug, device_key)
