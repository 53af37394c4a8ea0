"""Machines, what they measure, and the newest value of each measurement."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, OwnedByFactory, utc_now

DATA_TYPES = ("float", "int", "string")


class Device(OwnedByFactory, Base):
    """A machine that sends telemetry."""

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("factory_id", "device_key"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_key: Mapped[str] = mapped_column(String(100))
    """Identifier that the machine uses in its topic, such as `M01`."""
    name: Mapped[str | None] = mapped_column(String(255))
    kind: Mapped[str | None] = mapped_column(String(100))
    """What sort of machine, such as `CNC mill`."""
    manufacturer: Mapped[str | None] = mapped_column(String(255))
    model: Mapped[str | None] = mapped_column(String(255))
    region: Mapped[str | None] = mapped_column(String(255))
    api_key: Mapped[str | None] = mapped_column(String(255))
    """Hash of the key with which the machine signs in to the broker, in mosquitto's password-file form."""
    importance: Mapped[float] = mapped_column(default=1.0, server_default="1")
    """What the machine weighs in its factory's health score: 2 counts double, 0 not at all."""
    is_active: Mapped[bool] = mapped_column(default=True)
    last_seen: Mapped[datetime | None]
    """When the newest message arrived (receive time, not the machine's clock)."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class DeviceParameter(OwnedByFactory, Base):
    """One measurement of one machine, discovered from its telemetry."""

    __tablename__ = "device_parameters"
    __table_args__ = (
        UniqueConstraint("device_id", "parameter_key"),
        Index(None, "factory_id", "device_id"),
        CheckConstraint(f"data_type IN {DATA_TYPES}", name="data_type"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    parameter_key: Mapped[str] = mapped_column(String(100))
    display_name: Mapped[str | None] = mapped_column(String(255))
    unit: Mapped[str | None] = mapped_column(String(50))
    data_type: Mapped[str] = mapped_column(String(20), default="float")
    is_kpi_selected: Mapped[bool] = mapped_column(default=True)
    discovered_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class LatestValue(OwnedByFactory, Base):
    """The newest reading of one parameter of one machine; moves forward in device time only."""

    __tablename__ = "latest_values"

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    parameter_key: Mapped[str] = mapped_column(String(100), primary_key=True)
    ts: Mapped[datetime]
    """Device time."""
    value: Mapped[float | None]
    text: Mapped[str | None] = mapped_column(String(1000))
    received_at: Mapped[datetime]
