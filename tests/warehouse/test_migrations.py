"""The migrations make exactly the tables that the models describe, on both databases, and can be taken back."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from warehouse.db import Database, alembic_config
from warehouse.models.all import METADATA


def test_migrated_schema_equals_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    database.migrate()


def test_migrations_can_be_taken_back_and_made_again(database: Database) -> None:
    command.downgrade(alembic_config(database.url), "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    database.migrate()
    assert "landing_batches" in inspect(database.engine).get_table_names()
