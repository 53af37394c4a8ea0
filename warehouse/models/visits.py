"""What pages remember of a person from one visit to the next."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, OwnedByFactory


class Visit(OwnedByFactory, Base):
    """When a person was last here, and how they like their pages. A visit ends when they open no page for a while."""

    __tablename__ = "visits"

    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime]
    """When they last opened a page."""
    before_at: Mapped[datetime | None]
    """When their visit before this one ended; None: this is the first."""
    wants_sound: Mapped[bool] = mapped_column(default=False)
    """A new critical alert makes a sound."""
