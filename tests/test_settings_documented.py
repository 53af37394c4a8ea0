"""Every setting is in .env.example and in the reference, and neither names a setting that does not exist."""

import re

import pytest

from scripts.document_settings import ENV_EXAMPLE, SETTINGS_PAGE, env_example, settings_page
from warehouse.settings import Settings

NAMES = {name.upper() for name in Settings.model_fields}
HOW = "run `make docs` and commit what it writes"


def test_env_example_names_exactly_the_settings() -> None:
    named = re.findall(r"^# ([A-Z][A-Z0-9_]+)=", ENV_EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) == NAMES, HOW


def test_reference_names_exactly_the_settings() -> None:
    named = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", SETTINGS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) == NAMES, HOW


def test_env_example_is_what_the_class_says_today() -> None:
    assert ENV_EXAMPLE.read_text(encoding="utf-8") == env_example(), HOW


def test_reference_is_what_the_class_says_today() -> None:
    assert SETTINGS_PAGE.read_text(encoding="utf-8") == settings_page(), HOW


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_setting_says_what_it_does(name: str) -> None:
    assert Settings.model_fields[name].description, f"write a docstring under {name}"


def test_env_example_works_uncommented(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", ENV_EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE):
        monkeypatch.setenv(name, value)
    assert Settings.load() == Settings()
