"""A wheel built from the repository holds everything that the code opens at run time: an installation need not be a clone."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests import house
from tests.helpers import REPOSITORY


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from the tracked files."""
    source = tmp_path_factory.mktemp("source")
    for path in house.tracked_files():
        target = source / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [wheel] = (source / "dist").glob("factoryops-*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_packages(wheel_names: set[str]) -> None:
    ours = {path.relative_to(REPOSITORY).as_posix() for path in house.tracked_files()}
    in_packages = {name for name in ours if name.split("/")[0] in house.PACKAGES}
    assert sorted(in_packages - wheel_names) == [], "add the suffix to [tool.setuptools.package-data] of pyproject.toml"


@pytest.mark.slow
def test_wheel_holds_nothing_but_the_packages(wheel_names: set[str]) -> None:
    folders = {Path(name).parts[0] for name in wheel_names if ".dist-info/" not in name}
    assert folders == set(house.PACKAGES)
