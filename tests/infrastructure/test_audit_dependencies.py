"""What `make check` says of known vulnerabilities, and what it says when it could not ask."""

import json
import sys
from pathlib import Path

import pytest

from scripts.audit_dependencies import SKIPPED, audit, vulnerabilities

KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [KNOWN, {"id": "PYSEC-2026-2", "fix_versions": []}]}


def auditor(folder: Path, script: str) -> list[str]:
    """A program in place of pip-audit."""
    path = folder / "auditor.py"
    path.write_text(f"import sys\noutput = sys.argv[sys.argv.index('--output') + 1]\n{script}\n")
    return [sys.executable, str(path)]


def test_a_vulnerability_is_named_with_what_mends_it() -> None:
    assert vulnerabilities({"dependencies": [GOOD, BAD]}) == [
        "bad 1.0: PYSEC-2026-1, mended in 2.0",
        "bad 1.0: PYSEC-2026-2, mended in no release yet",
    ]


@pytest.mark.parametrize(("packages", "status"), [([GOOD], 0), ([GOOD, BAD], 1)])
def test_only_a_known_vulnerability_fails(tmp_path: Path, packages: list[dict], status: int) -> None:
    report = json.dumps(json.dumps({"dependencies": packages}))
    assert audit(auditor(tmp_path, f"open(output, 'w').write({report})"), tmp_path / "lock") == status


@pytest.mark.parametrize("script", ["sys.exit('no network')", "import time; time.sleep(60)"], ids=["no network", "no answer"])
def test_what_could_not_be_asked_is_said_aloud(tmp_path: Path, script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(auditor(tmp_path, script), tmp_path / "lock", time_limit_s=2) == 0
    assert SKIPPED in capsys.readouterr().out


def test_without_an_auditor_it_is_said_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(None, tmp_path) == 0
    assert SKIPPED in capsys.readouterr().out
