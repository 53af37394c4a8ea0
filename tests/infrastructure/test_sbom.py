"""The bill of materials lists what the lock says, with licences, and tells of those that are to be looked at."""

import json
from pathlib import Path

import pytest

from scripts import sbom

LOCK = sbom.LOCK.read_text(encoding="utf-8")


def test_every_package_of_the_lock_that_is_installed_is_listed_with_its_version_and_licence(tmp_path: Path) -> None:
    assert sbom.main([str(tmp_path / "sbom.json")]) == 0, "a licence is to be looked at"
    made = json.loads((tmp_path / "sbom.json").read_text())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    versions = {one["name"]: one["version"] for one in made["components"]}
    wanted = sbom.locked(LOCK)
    assert len(versions) > 0.9 * len(wanted), "the rest is of other systems"
    assert all(versions[name] == wanted[name] for name in ("duckdb", "dagster", "polars", "cryptography"))
    assert all(one["licenses"] for one in made["components"])
    assert len({one["bom-ref"] for one in made["components"]}) == len(made["components"])


@pytest.mark.parametrize(
    ("licence", "is_questionable"),
    [("MIT", False), ("LGPL-3.0-only", False), ("GNU Lesser General Public License v3 (LGPLv3)", False), ("", True),
     ("GPL-3.0-or-later", True), ("AGPL-3.0", True), ("GNU General Public License v3 (GPLv3)", True)],
)  # fmt: skip
def test_a_licence_that_would_bind_us_is_told(licence: str, is_questionable: bool) -> None:
    component = {"name": "some", "licenses": [{"license": {"name": licence}}] if licence else []}
    assert bool(sbom.questionable([component])) is is_questionable
