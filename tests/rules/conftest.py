"""What several tests of rules begin with."""

import pytest

from tests.rules.installation import add_device, add_factory
from warehouse.db import Database


@pytest.fixture
def plant(database: Database) -> tuple[int, int]:
    """A factory and its device."""
    factory = add_factory(database)
    return factory, add_device(database, factory)
