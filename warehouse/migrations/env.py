"""Alembic's entry: runs migrations on the address that `warehouse.db.alembic_config` carries."""

from alembic import context
from sqlalchemy import create_engine, pool

from warehouse.models.all import METADATA


def run() -> None:
    """One transaction for the whole upgrade, so that a crash leaves the old schema. Batch mode lets SQLite alter tables."""
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
