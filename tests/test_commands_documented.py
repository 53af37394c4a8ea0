"""The command reference is what the command line says, and no page names a command that does not exist."""

import re

from scripts.document_commands import COMMANDS_PAGE, commands_page
from tests import house
from tests.helpers import REPOSITORY


def test_reference_is_what_the_command_line_says_today() -> None:
    assert COMMANDS_PAGE.read_text(encoding="utf-8") == commands_page(), "run `make docs` and commit what it writes"


def test_every_command_says_what_it_does() -> None:
    sections = re.findall(r"^## factoryops ([a-z-]+)\n\n(.*)$", commands_page(), re.MULTILINE)
    assert sections
    assert [name for name, meaning in sections if not meaning] == []


def test_every_command_that_is_named_exists() -> None:
    commands = set(re.findall(r"^## factoryops ([a-z-]+)$", commands_page(), re.MULTILINE))
    named = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in house.tracked_files()
        if path.suffix == ".md"
        for name in re.findall(r"`(?:\.venv/bin/)?factoryops ([a-z][a-z-]*)", path.read_text(encoding="utf-8"))
    }
    assert {(page, name) for page, name in named if name not in commands} == set()
