"""Every defence that docs/security.md names has its test."""

import ast
import re

import pytest

from tests.helpers import REPOSITORY

NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (REPOSITORY / "docs" / "security.md").read_text())


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_each_named_test_is_there(file: str, name: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())
    assert not name or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
