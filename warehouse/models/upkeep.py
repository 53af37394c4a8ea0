"""What people did to machines: failures, repairs, planned work."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, OwnedByFactory, utc_now

EVENT_KINDS = ("failure", "repair", "planned", "inspection")


class MaintenanceEvent(OwnedByFactory, Base):
    """A work order or failure of a machine, as another system keeps it; `source` and `external_id` find it again there."""

    __tablename__ = "maintenance_events"
    __table_args__ = (
        UniqueConstraint("factory_id", "source", "external_id"),
        Index(None, "device_id", "began_at"),
        CheckConstraint(f"kind IN {EVENT_KINDS}", name="kind"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(100))
    external_id: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    began_at: Mapped[datetime]
    """Of a failure: when the machine stopped."""
    ended_at: Mapped[datetime | None]
    """None while the work goes on."""
    title: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str | None] = mapped_column(String(255))
    cost: Mapped[float | None]
    """In the currency of the factory's tariff."""
    imported_at: Mapped[datetime] = mapped_column(default=utc_now)
