"""Writes `.env.example` and `docs/reference/settings.md` from the Settings class, so that neither can say something else.

`make docs` runs it; tests/test_settings_documented.py fails when somebody forgot to.
"""

import sys
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from warehouse.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
ENV_EXAMPLE = REPOSITORY / ".env.example"
SETTINGS_PAGE = REPOSITORY / "docs" / "reference" / "settings.md"
COMMENT_WIDTH = 100
ENV_HEADING = """\
# Settings of FactoryOps. Copy this file to .env and take away the # of what you change.
# Variables of the environment win over .env. Written by `make docs` from warehouse/settings.py."""
PAGE_HEADING = """\
# Settings

Each is read from the environment, then from a file `.env` in the folder where FactoryOps is started. Wrong or missing
settings stop the start with one message that lists all of them. `.env.example` has every setting with its default.

This page is written by `make docs` from `warehouse/settings.py`.

| name | may be | default | what it does |
|---|---|---|---|
"""
KINDS: dict[object, str] = {SecretStr: "secret", str: "text", bool: "true or false", int: "whole number", float: "number", Path: "folder"}
RANGE_SIGNS = {"Ge": ("ge", "≥"), "Gt": ("gt", ">"), "Le": ("le", "≤"), "Lt": ("lt", "<")}


def default_text(field: FieldInfo) -> str:
    """Return the default as it would be written in a `.env` file; empty for secrets and for "choose yourself"."""
    value = field.default
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def kind_text(field: FieldInfo) -> str:
    """Return what may be written: the choices, or the type with its limits."""
    choices = get_args(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = KINDS.get(field.annotation, str(field.annotation))
    limits = [
        f"{sign} {getattr(limit, attribute)}"
        for limit in field.metadata
        for attribute, sign in [RANGE_SIGNS.get(type(limit).__name__, ("", ""))]
        if attribute
    ]
    return f"{kind} {', '.join(limits)}".strip()


def wrapped(text: str) -> str:
    """Return a text as comment lines of at most COMMENT_WIDTH characters."""
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > COMMENT_WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line])


def env_example() -> str:
    """Return the text of `.env.example`: every setting with its default, commented out."""
    parts = [ENV_HEADING]
    parts.extend(
        f"{wrapped(field.description or '')}\n# {name.upper()}={default_text(field)}" for name, field in Settings.model_fields.items()
    )
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Return the text of `docs/reference/settings.md`: a table of every setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = f"`{default_text(field)}`" if default_text(field) else "empty"
        meaning = " ".join((field.description or "").split()).replace("|", r"\|")
        rows.append(f"| `{name.upper()}` | {kind_text(field)} | {default} | {meaning} |")
    return PAGE_HEADING + "\n".join(rows) + "\n"


def main() -> int:
    """Write both files."""
    SETTINGS_PAGE.parent.mkdir(parents=True, exist_ok=True)
    ENV_EXAMPLE.write_text(env_example(), encoding="utf-8")
    SETTINGS_PAGE.write_text(settings_page(), encoding="utf-8")
    print(f"wrote {ENV_EXAMPLE.name} and {SETTINGS_PAGE.relative_to(REPOSITORY)}: {len(Settings.model_fields)} settings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
