"""Settings: wrong ones are all told at once, production invents no secrets."""

from pathlib import Path

import pytest

from warehouse.errors import SettingsError
from warehouse.settings import Settings


def test_production_without_a_signing_key_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="JWT_SECRET_KEY is missing"):
        Settings.load(app_env="production")


def test_a_short_signing_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="needs 32"):
        Settings.load(jwt_secret_key="short")


def test_all_wrong_settings_are_told_at_once_with_where_they_were_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "eighty")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert len(caught.value.problems) == 2
    assert all(part in str(caught.value) for part in ("WEB_PORT", "LOG_LEVEL", "environment", ".env"))


def test_secrets_do_not_show_in_logs() -> None:
    key = "a" * 40
    assert key not in repr(Settings(jwt_secret_key=key))


def test_an_embedded_installation_lives_in_its_home(tmp_path: Path) -> None:
    settings = Settings(factoryops_home=tmp_path)
    assert settings.operational_url == f"sqlite:///{tmp_path / 'factoryops.sqlite'}"
    assert settings.catalog_path.is_relative_to(tmp_path)
    assert Path(settings.lake_files).is_relative_to(tmp_path)


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().web_port = 1
