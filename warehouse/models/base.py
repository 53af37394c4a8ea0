"""What every table shares: naming of constraints, the factory column, moments in UTC."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from warehouse.db import UtcDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite gives automatic ids to INTEGER columns only.
BigId = BigInteger().with_variant(Integer, "sqlite")


def utc_now() -> datetime:
    """Default of created_at and updated_at columns."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all tables of the operational database."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[int]: JSON}  # noqa: RUF012  # SQLAlchemy's own way


class OwnedByFactory:
    """Mixin: the row belongs to one factory. `warehouse.tenancy` filters and checks every statement by this column."""

    factory_id: Mapped[int] = mapped_column(Integer, ForeignKey("factories.id", ondelete="CASCADE"), index=True)
