"""What every test can use, and how the run reports tests that a missing program kept from running."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.helpers import NOT_RUN, require_services

pytest_plugins = [
    "tests.fixtures.network",
    "tests.fixtures.postgres",
    "tests.fixtures.object_store",
    "tests.fixtures.warehouse",
    "tests.fixtures.people",
    "tests.fixtures.two_plants",
    "tests.fixtures.web_server",
    "tests.fixtures.mail",
    "tests.fixtures.browser",
]

# Using the fixture is what needs the service: nobody has to remember the markers.
MARKERS_BY_FIXTURE = {
    "postgres_url": ("postgres", "slow"),
    "postgres_database": ("postgres", "slow"),
    "postgresql_database": ("postgres", "slow"),
    "postgresql_lake": ("postgres", "slow"),
    "outgrown_settings": ("postgres", "slow"),
    "mosquitto": ("broker", "slow"),
    "broker": ("broker", "slow"),
    "mosquitto_of_demo": ("broker", "slow"),
    "web_server": ("slow",),
    "chromium": ("browser", "slow"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--services",
        choices=("required", "optional"),
        default="optional",
        help="what a missing program (mosquitto, PostgreSQL, Chromium) does to the tests that need it: fail them, or leave them out",
    )
    parser.addoption(
        "--storage",
        choices=("embedded", "outgrown"),
        default="embedded",
        help="where `settings`, `lake` and `one_database` keep their data: SQLite and folders, or PostgreSQL and an S3-compatible store",
    )
    parser.addoption("--fuzz-inputs", type=int, default=20_000, help="how many payloads tests/ingest/test_fuzz.py tries")
    parser.addoption("--fuzz-seed", type=int, default=1, help="which ones they are")
    parser.addoption("--drill-seconds", type=float, default=2.0, help="how long something is away in the drills of tests/drills")
    parser.addoption(
        "--soak-minutes", type=float, default=0.0, help="how long tests/ingest/test_soak.py kills processes at random; 0: each of them once"
    )


def pytest_configure(config: pytest.Config) -> None:
    require_services(required=config.getoption("--services") == "required")


@pytest.hookimpl(tryfirst=True)  # before -m "not slow" chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for marker in MARKERS_BY_FIXTURE.get(fixture, ()):
                item.add_marker(marker)
    if config.getoption("--storage") == "outgrown":
        left_out = [item for item in items if _is_of_embedded(item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _is_of_embedded(item: pytest.Item) -> bool:
    """Whether a test is about SQLite or folders, so that there is nothing of it on PostgreSQL and S3."""
    chosen = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return item.get_closest_marker("embedded") is not None or "sqlite" in chosen or "embedded" in chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NOT_RUN in reason:
            left_out.setdefault(reason.split(NOT_RUN, 1)[1], []).append(report.nodeid)
    if not left_out:
        return
    terminalreporter.section("TESTS NOT RUN", sep="=", red=True, bold=True)
    for reason, tests in left_out.items():
        terminalreporter.line(f"{len(tests)} tests: {reason}", yellow=True)
        for test in sorted({nodeid.split("[")[0] for nodeid in tests}):
            terminalreporter.line(f"    {test}")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo `configure_logs`, which some tests call in this process: it would go on writing to this test's captured, closed stderr."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent
