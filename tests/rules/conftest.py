"""What several tests of rules begin with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.installation import add_device, add_factory
from warehouse.db import Database


@pytest.fixture
def plant(database: Database) -> tuple[int, int]:
    """A factory and its device."""
    factory = add_factory(database)
    return factory, add_device(database, factory)


@pytest.fixture
def sqlite_database_of_its_own(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """A second database, for what a clean run would have done."""
    path = tmp_path / "clean.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()
