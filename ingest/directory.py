"""Who may send: the known devices by topic, as one snapshot. Pure; `ingest.registry` keeps it up to date."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest import reasons, topics


class Place(NamedTuple):
    """A device and its factory in the database."""

    factory_id: int
    device_id: int


class Refusal(NamedTuple):
    """Why nothing is accepted from a topic, and what is known of its sender all the same."""

    reason: str
    detail: str
    factory_id: int | None
    device_id: int | None
    device_key: str | None


@dataclass(frozen=True)
class Directory:
    """All devices at one moment."""

    places: Mapping[str, Place] = field(default_factory=dict)
    """Active devices by their telemetry topic."""
    inactive: Mapping[str, Place] = field(default_factory=dict)
    """Devices that were switched off, by their telemetry topic."""
    factories: Mapping[str, int] = field(default_factory=dict)
    """Factory ids by slug."""

    def refusal(self, topic: str) -> Refusal:
        """Why `topic` is not among `places`."""
        sender = topics.parse(topic)
        if sender is None:
            return Refusal(reasons.BAD_TOPIC, f"not a telemetry topic: {topic[:200]!r}", None, None, None)
        factory_id = self.factories.get(sender.slug)
        if factory_id is None:
            return Refusal(reasons.UNKNOWN_FACTORY, f"no factory {sender.slug[:200]!r}", None, None, sender.device_key)
        place = self.inactive.get(topic)
        if place is None:
            return Refusal(reasons.UNKNOWN_DEVICE, f"no device {sender.device_key!r} in this factory", factory_id, None, sender.device_key)
        return Refusal(reasons.INACTIVE_DEVICE, f"device {sender.device_key!r} is inactive", factory_id, place.device_id, sender.device_key)
