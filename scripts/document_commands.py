"""Writes `docs/reference/commands.md` from the command line itself. `make docs` runs it; a test holds the page to it."""

import sys
from pathlib import Path
from typing import Any

import typer

from factoryops.cli import app

REPOSITORY = Path(__file__).resolve().parent.parent
COMMANDS_PAGE = REPOSITORY / "docs" / "reference" / "commands.md"
HEADING = """\
# Commands

`.venv/bin/factoryops COMMAND --help` says the same. This page is written by `make docs` from `factoryops/cli.py`.
"""


# Any: Typer carries a copy of click of its own, whose types are private.
def option_row(parameter: Any) -> str:
    """Return a table row for an option or argument: how it is written, its default, what it does."""
    written = parameter.name.upper() if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
    default = "" if parameter.default in (None, "", False) or callable(parameter.default) else f"`{parameter.default}`"
    return f"| `{written}` | {default} | {parameter.help or ''} |"


def command_section(name: str, command: Any) -> str:
    """Return the section of one command."""
    parameters = [parameter for parameter in command.params if parameter.name != "help" and not parameter.hidden]
    section = f"\n## factoryops {name}\n\n{' '.join(command.help.split())}\n"
    if parameters:
        section += "\n| option | default | what it does |\n|---|---|---|\n" + "\n".join(map(option_row, parameters)) + "\n"
    return section


def commands_page() -> str:
    """Return the text of `docs/reference/commands.md`."""
    commands: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - see above
    return HEADING + "".join(command_section(name, command) for name, command in commands.items() if not command.hidden)


def main() -> int:
    """Write the page."""
    COMMANDS_PAGE.write_text(commands_page(), encoding="utf-8")
    print(f"wrote {COMMANDS_PAGE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
