"""People of a factory, for work that is done in somebody's name."""

from sqlalchemy import select

from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.people import User
from warehouse.tenancy import tenant_session


def first_person(db: Database, factory_id: int) -> int:
    """Id of the first active person who may work there. Raises NotFoundError."""
    with tenant_session(db, factory_id) as session:
        found = session.scalar(select(User.id).where(User.is_active, User.role != "viewer").order_by(User.id).limit(1))
    if found is None:
        raise NotFoundError("this factory has nobody who could own the report", noun="user", key=factory_id)
    return found
