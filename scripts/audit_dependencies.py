"""Asks pip-audit whether a locked dependency has a known vulnerability. `make check` runs it.

What cannot be asked (no pip-audit, no network) is said aloud and is no failure: plants without internet build too.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
TIME_LIMIT_S = 120
SKIPPED = "DEPENDENCIES NOT AUDITED"


def vulnerabilities(report: dict[str, Any]) -> list[str]:
    """A line for each known vulnerability in pip-audit's JSON."""
    found = []
    for package in report["dependencies"]:
        for known in package.get("vulns", []):
            mended = ", ".join(known.get("fix_versions", [])) or "no release yet"
            found.append(f"{package['name']} {package['version']}: {known['id']}, mended in {mended}")
    return found


def auditor() -> list[str] | None:
    """The command that starts pip-audit: installed, or fetched for the moment by uv."""
    beside = Path(sys.executable).parent
    for name, command in (("pip-audit", []), ("uv", ["tool", "run", "--quiet", "pip-audit"])):
        program = shutil.which(name, path=str(beside)) or shutil.which(name)
        if program:
            return [program, *command]
    return None


def audit(command: list[str] | None, lock: Path, time_limit_s: float = TIME_LIMIT_S) -> int:
    """Prints what is known of the lock file's packages; 1 when one is vulnerable, else 0."""
    if command is None:
        print(f"{SKIPPED}: there is neither pip-audit nor uv")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        asked = [*command, "--requirement", str(lock), "--disable-pip", "--no-deps", "--format", "json", "--output", str(output)]
        try:
            ran = subprocess.run(asked, capture_output=True, text=True, timeout=time_limit_s, check=False)
        except (OSError, subprocess.TimeoutExpired) as failed:
            print(f"{SKIPPED}: {type(failed).__name__}")
            return 0
        if not output.exists() or not output.stat().st_size:
            last = (ran.stderr.strip().splitlines() or ["no word"])[-1]
            print(f"{SKIPPED}: pip-audit could not ask (exit code {ran.returncode}: {last[:200]})")
            return 0
        report = json.loads(output.read_text(encoding="utf-8"))
    found = vulnerabilities(report)
    print("\n".join(found) if found else f"{len(report['dependencies'])} dependencies, none with a known vulnerability")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(audit(auditor(), REPOSITORY / "requirements.lock"))
