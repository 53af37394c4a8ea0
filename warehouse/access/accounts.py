"""Where one person has accounts: each factory keeps its own, with a password of its own."""

from sqlalchemy import select

from warehouse.access.sign_in import FactoryChoice
from warehouse.db import Database
from warehouse.models.people import Factory, User
from warehouse.tenancy import system_session


def factories_of(db: Database, email: str) -> list[FactoryChoice]:
    """The factories in which an active account has this e-mail, by name. For whoever holds one of these accounts."""
    wanted = (
        select(Factory)
        .join(User, User.factory_id == Factory.id)
        .where(User.email == email.strip().lower(), User.is_active.is_(True))
        .order_by(Factory.name, Factory.id)
    )
    with system_session(db, "factories of a person") as session:
        return [FactoryChoice(factory.id, factory.name, factory.slug) for factory in session.scalars(wanted)]
