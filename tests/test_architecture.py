"""The rules of the house (docs/contributing.md), each held by a test, and each test shown to be able to fail."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

from tests import house
from tests.helpers import REPOSITORY

LINT_IMPORTS = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]


def test_every_init_file_is_empty() -> None:
    full = [str(path) for path in house.tracked_python() if path.name == "__init__.py" and path.read_text(encoding="utf-8").strip()]
    assert full == [], "code in an __init__.py runs for everybody who imports anything below it: give it a module of its own"


def test_only_settings_reads_the_environment() -> None:
    reads = {
        str(path.relative_to(REPOSITORY)): lines
        for path in house.tracked_python(*house.PACKAGES, "scripts")
        if path != REPOSITORY / "warehouse" / "settings.py" and (lines := house.environment_reads(path.read_text(encoding="utf-8")))
    }
    assert reads == {}, "take a field of warehouse.settings.Settings (child processes: warehouse.settings.child_environment)"


@pytest.mark.parametrize("source", ["import os\nos.environ['A']", "import os\nx = os.getenv('A')", "from os import environ"])
def test_reading_the_environment_is_found(source: str) -> None:
    assert house.environment_reads(source)


def test_no_file_names_a_package_index() -> None:
    found = {name: lines for name, text in house.tracked_texts() if (lines := house.lines_matching(house.FORBIDDEN_ADDRESSES, text))}
    assert found == {}, "an installation may use a mirror: addresses belong into the configuration of pip, uv and apt"


@pytest.mark.parametrize("text", ["https://pypi" + ".org/simple", "pip install --index" + "-url http://x", "files.python" + "hosted.org"])
def test_the_address_of_a_package_index_is_found(text: str) -> None:
    assert house.lines_matching(house.FORBIDDEN_ADDRESSES, text)


def test_no_file_has_the_path_of_somebodys_machine() -> None:
    found = {
        name: lines for name, text in house.tracked_texts() if (lines := house.lines_matching(house.ABSOLUTE_PATH_OF_A_WORKPLACE, text))
    }
    assert found == {}


@pytest.mark.parametrize("text", ["see /" + "work/main/x", "HOME=/" + "root/x"])
def test_the_path_of_somebodys_machine_is_found(text: str) -> None:
    assert house.lines_matching(house.ABSOLUTE_PATH_OF_A_WORKPLACE, text)


def test_no_python_file_is_too_long_to_read() -> None:
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines()) for path in house.tracked_python()}
    # A migration is a list of what happened to the tables; it is never edited again.
    long = {name: length for name, length in lengths.items() if length > house.LONGEST_FILE_LINES and "migrations/versions" not in name}
    assert long == {}, f"over {house.LONGEST_FILE_LINES} lines: split it by what it decides"


def test_every_silenced_check_says_why() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): lines
        for path in house.tracked_python(*house.PACKAGES, "scripts")
        if (lines := house.silenced_without_reason(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("line", ["x = 1  # noqa", "x = 1  # noqa: S608", "x = 1  # type: ignore[arg-type]", "x = 1  # type: ignore"])
def test_a_silenced_check_without_reason_is_found(line: str) -> None:
    assert house.silenced_without_reason(line)


@pytest.mark.parametrize("reason", [": S608 - names come from METADATA", ": S608, D1  # why", "[arg-type]  # pydantic validates"])
def test_a_silenced_check_with_its_reason_is_accepted(reason: str) -> None:
    assert house.silenced_without_reason(("x = 1  # noqa" if reason.startswith(":") else "x = 1  # type: ignore") + reason) == []


def test_every_ignored_rule_of_ruff_has_its_reason() -> None:
    assert house.ignores_without_reason((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")) == []


def test_an_ignored_rule_without_reason_is_found() -> None:
    assert house.ignores_without_reason('ignore = [\n    "D104", # why\n    "D105",\n]') == ['"D105",']


def test_every_tool_knows_every_package() -> None:
    tool = house.configuration()
    assert sorted(tool["mypy"]["packages"]) == list(house.PACKAGES)
    assert sorted(tool["importlinter"]["root_packages"]) == list(house.PACKAGES)
    assert sorted(name.rstrip("*") for name in tool["setuptools"]["packages"]["find"]["include"]) == list(house.PACKAGES)


@pytest.mark.parametrize("package", house.PACKAGES)
def test_no_installed_library_has_the_name_of_our_package(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin == str(REPOSITORY / package / "__init__.py")


def impurities(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """For every pure module of the graph: what it reaches of what does I/O."""
    pure = {module for name in house.PURE_MODULES if name in graph.modules for module in (name, *graph.find_descendants(name))}
    return {module: found for module in sorted(pure) if (found := graph.find_upstream_modules(module) & house.IO_MODULES)}


def test_modules_that_decide_import_nothing_that_reads_or_writes() -> None:
    graph = grimp.build_graph("assets", "ingest", "rules", "warehouse", include_external_packages=True, cache_dir=None)
    assert impurities(graph) == {}


def test_a_module_that_decides_and_reads_is_found() -> None:
    graph = grimp.ImportGraph()
    graph.add_import(importer="rules.engine", imported="warehouse.db")
    graph.add_import(importer="warehouse.db", imported="sqlalchemy")
    assert impurities(graph) == {"rules.engine": {"sqlalchemy"}}


def test_import_contracts_hold() -> None:
    ran = subprocess.run(LINT_IMPORTS, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("warehouse.wrong", "import rules"),
        ("rules.wrong", "import ingest"),
        ("dashboards.wrong", "import api"),
        ("assets.wrong", "import pipelines"),
        ("ingest.wrong", "import dagster"),
        ("factoryops.wrong", "import dagster"),
        ("factoryops.wrong", "import streamlit"),
        ("api.wrong", "import streamlit"),
        ("dashboards.wrong", "import fastapi"),
        ("rules.engine", "import sqlalchemy"),
    ],
)
def test_a_broken_import_contract_is_found(tmp_path: Path, importer: str, statement: str) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for package in house.PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    named = {module for contract in house.configuration()["importlinter"]["contracts"] for module in contract.get("source_modules", [])}
    for module in named - set(house.PACKAGES):
        (tmp_path / f"{module.replace('.', '/')}.py").touch()
    (tmp_path / f"{importer.replace('.', '/')}.py").write_text(statement)
    ran = subprocess.run(LINT_IMPORTS, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 broken" in ran.stdout, ran.stdout
    assert ran.returncode == 1
