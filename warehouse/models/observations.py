"""What the ingester noticed of a machine that a person should know, though nothing was refused because of it."""

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, OwnedByFactory

NAIVE_TIME: Final = "naive_time"
MIXED_TYPES: Final = "mixed_types"
RATE_LIMITED: Final = "rate_limited"
KINDS: Final = {
    NAIVE_TIME: "It sends times without a time zone; they were taken as UTC.",
    MIXED_TYPES: "A parameter came as a number and as a text; both were kept as they came.",
    RATE_LIMITED: "It sent more messages than DEVICE_MESSAGES_PER_SECOND allows; those above were dropped.",
}
"""Each kind as a sentence for people."""


class DeviceNote(OwnedByFactory, Base):
    """One thing about a machine, with how often and when it was noticed."""

    __tablename__ = "device_notes"
    __table_args__ = (UniqueConstraint("device_id", "kind", "parameter_key"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    """One of KINDS."""
    parameter_key: Mapped[str] = mapped_column(String(100), default="", server_default="")
    """Empty when it concerns the machine as a whole."""
    detail: Mapped[str] = mapped_column(String(500))
    """The newest case, in words."""
    count: Mapped[int] = mapped_column(BigId)
    """Messages (of `mixed_types`: batches) that it was noticed in."""
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
