"""Quarto's authoring conventions, which notebook people know: YAML front matter in the first raw cell, `#|` options in code cells; pure."""

from typing import Any, Final

import yaml

from warehouse.errors import InvalidInputError

FENCE: Final = "---"


def front_matter(source: str) -> dict[str, Any]:
    """What stands between the `---` lines; empty when there are none. Raises InvalidInputError for broken YAML."""
    lines = source.strip().splitlines()
    if len(lines) < 2 or lines[0].strip() != FENCE or FENCE not in (line.strip() for line in lines[1:]):
        return {}
    end = next(i for i, line in enumerate(lines[1:], start=1) if line.strip() == FENCE)
    return _mapping("\n".join(lines[1:end]), "the front matter")


def cell_options(source: str) -> dict[str, Any]:
    """The `#| key: value` lines at the top of a code cell."""
    lines = []
    for line in source.splitlines():
        if not line.startswith("#|"):
            break
        lines.append(line[2:].removeprefix(" "))
    return _mapping("\n".join(lines), "the cell options") if lines else {}


def without_options(source: str) -> str:
    """The code of a cell without its `#|` lines."""
    return "\n".join(line for line in source.splitlines() if not line.startswith("#|")).strip()


def _mapping(text: str, place: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise InvalidInputError(f"{place} are no YAML: {wrong}", path=place) from wrong
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInputError(f"{place} must be lines of `key: value`", path=place)
    return {str(key): value for key, value in found.items()}
