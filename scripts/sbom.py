"""Writes the software bill of materials of this environment: CycloneDX 1.5 JSON, from what is installed; licences included.

    python scripts/sbom.py [FILE]        default: sbom.json

Only packages of requirements.lock are listed, each with the version that is installed. No network, and the same file for the same set.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distributions, version
from pathlib import Path
from typing import Any, Final

REPOSITORY = Path(__file__).resolve().parent.parent
LOCK = REPOSITORY / "requirements.lock"
TARGET = REPOSITORY / "sbom.json"
LOCKED: Final = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", re.MULTILINE)
STRONG_COPYLEFT: Final = re.compile(r"(?<!L)(?<!Lesser )\b(?:AGPL|GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)


def canonical(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> dict[str, str]:
    """Version by canonical name of a lock file's text."""
    return {canonical(name): found for name, found in LOCKED.findall(text)}


def licence_of(found: Distribution) -> str:
    """What a package says of its licence: SPDX expression, classifiers, or the first line of its text; empty when it says nothing."""
    metadata = found.metadata
    if said := metadata.get("License-Expression"):
        return said
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    precise = [line for line in classifiers if line != "OSI Approved"]
    if precise:
        return " OR ".join(sorted(precise))
    said = (metadata.get("License") or "").strip()
    return said.splitlines()[0][:100] if said else _from_file(found)


def _from_file(found: Distribution) -> str:
    for file in found.files or []:
        if re.match(r"(licen[cs]e|copying)", file.name, re.IGNORECASE):
            text = file.read_text(encoding="utf-8") if Path(str(file.locate())).is_file() else ""
            first = next((line.strip() for line in text.splitlines() if line.strip()), "")
            if first:
                return first[:100]
    return ""


def components(lock: str) -> list[dict[str, Any]]:
    """A CycloneDX component for each package of the lock that is installed here, by name."""
    wanted = locked(lock)
    found = {canonical(one.metadata["Name"]): one for one in distributions()}
    return [_component(name, found[name]) for name in sorted(wanted) if name in found]


def _component(name: str, found: Distribution) -> dict[str, Any]:
    licence, home = licence_of(found), found.metadata.get("Home-page") or ""
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{found.version}",
        "name": name,
        "version": found.version,
        "purl": f"pkg:pypi/{name}@{found.version}",
        "licenses": [{"license": {"name": licence}}] if licence else [],
        **({"externalReferences": [{"type": "website", "url": home}]} if home.startswith("http") else {}),
    }


def bill(lock: str) -> dict[str, Any]:
    """The whole document."""
    own = {"type": "application", "bom-ref": "factoryops", "name": "factoryops", "version": version("factoryops")}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own},
        "components": components(lock),
        "dependencies": [{"ref": "factoryops", "dependsOn": [one["bom-ref"] for one in components(lock)]}],
    }


def questionable(found: list[dict[str, Any]]) -> dict[str, str]:
    """Packages that say nothing of their licence, or only one that would bind what uses them; by name, with what they say."""
    said = {one["name"]: one["licenses"][0]["license"]["name"] if one["licenses"] else "" for one in found}
    return {name: text for name, text in said.items() if not text or STRONG_COPYLEFT.search(text)}


def main(arguments: list[str]) -> int:
    """Write the file; 1 when a licence is to be looked at."""
    target = Path(arguments[0]) if arguments else TARGET
    made = bill(LOCK.read_text(encoding="utf-8"))
    target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    doubtful = questionable(made["components"])
    print(f"wrote {target}: {len(made['components'])} packages")
    for name, text in doubtful.items():
        print(f"look at the licence of {name}: {text or 'it says nothing'}")
    return int(bool(doubtful))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
