"""Plant, broker and machines of the tests of ingest; how long an outage lasts."""

import pytest

from tests.ingest.conftest import broker, machine, plant

__all__ = ["broker", "machine", "plant"]


@pytest.fixture
def outage_s(pytestconfig: pytest.Config) -> float:
    """How long something is away: two seconds, or `--drill-seconds`."""
    return float(pytestconfig.getoption("--drill-seconds"))
