"""Requests that must not be carried out twice."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, OwnedByFactory


class IdempotencyKey(OwnedByFactory, Base):
    """A request that started work, by the key that its sender gave it."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "operation", "key"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    operation: Mapped[str] = mapped_column(String(50))
    """What was asked for, such as `report.order`."""
    key: Mapped[str] = mapped_column(String(255))
    asked_sha256: Mapped[str] = mapped_column(String(64))
    """Digest of what was asked: the same key for something else is a mistake."""
    result: Mapped[str | None] = mapped_column(String(100))
    """Id of the work; None while it is being started."""
    begun_at: Mapped[datetime] = mapped_column(index=True)
