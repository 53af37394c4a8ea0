"""The factories of an installation, for the few processes that serve all of them."""

from sqlalchemy import select

from warehouse.db import Database
from warehouse.models.people import Factory
from warehouse.tenancy import system_session


def factory_zones(db: Database) -> dict[int, tuple[str, str]]:
    """Slug and IANA time zone of every factory, by id."""
    with system_session(db, "time zones of all factories") as session:
        return {factory.id: (factory.slug, factory.timezone) for factory in session.scalars(select(Factory).order_by(Factory.id))}
