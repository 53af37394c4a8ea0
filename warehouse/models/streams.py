"""The landing log and what its consumers remember; not of one factory, so only system sessions reach it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, utc_now


class LandingBatch(Base):
    """One durable batch of readings of all factories: an Arrow IPC stream (zstd), in one total order by `position`."""

    __tablename__ = "landing_batches"
    __table_args__ = (
        # The size of the log is summed up from the index alone: going through the batches would read all of it.
        Index("ix_landing_batches_landed_at_byte_count", "landed_at", "byte_count"),
        # A position must never be given out twice, or a consumer that passed it would miss the new batch.
        {"sqlite_autoincrement": True},
    )

    position: Mapped[int] = mapped_column(BigId, primary_key=True)
    landed_at: Mapped[datetime] = mapped_column(default=utc_now)
    message_count: Mapped[int]
    row_count: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    byte_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Bytes of `payload`."""
    ingester: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """Client id of the ingester that landed it; empty when it did not come from a broker."""
    receipts: Mapped[bytes | None] = mapped_column(LargeBinary)
    """When its messages without a time stamp were received (`ingest.receipts`); None when all had one."""


class ConsumerCursor(Base):
    """How far a consumer of the landing log has come."""

    __tablename__ = "consumer_cursors"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    position: Mapped[int] = mapped_column(BigId, default=0)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)
    state: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What the consumer needs beside the position to go on after a restart; its own format."""


class Lease(Base):
    """Which process may do a job that only one may do at a time."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    holder: Mapped[str] = mapped_column(String(100))
    expires_at: Mapped[datetime]


class DeadLetter(Base):
    """A message, or a part of one, that could not be accepted, kept where a person can see and replay it."""

    __tablename__ = "dead_letters"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    factory_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("factories.id", ondelete="CASCADE"), index=True)
    """None: the topic names no factory that we know."""
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    device_key: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(50), index=True)
    """One of `ingest.reasons.REASONS`."""
    detail: Mapped[str] = mapped_column(String(1000))
    topic: Mapped[str] = mapped_column(String(1000))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    """Cut at 64 KiB; `payload_size` tells the true size in bytes."""
    payload_size: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(index=True)
    replayed_at: Mapped[datetime | None]
    ingester: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """Client id of the ingester that the broker gave the message to."""
    message_id: Mapped[int | None] = mapped_column(index=True)
    """The broker's id of that delivery, by which one that comes again is known; None with QoS 0, which never comes again."""


class InstallationFact(Base):
    """A small fact about this installation, such as how far the demo was seeded."""

    __tablename__ = "installation_facts"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
