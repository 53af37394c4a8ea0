"""Secrets that an installation makes for itself."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from warehouse.secrets import generated_secret
from warehouse.settings import Settings


def test_a_secret_is_made_once_and_stays(settings: Settings) -> None:
    made = generated_secret(settings, "device_keys")
    assert len(made) == 48
    assert generated_secret(settings, "device_keys") == made
    assert generated_secret(settings, "other") != made


def test_only_its_owner_may_read_it(settings: Settings) -> None:
    generated_secret(settings, "device_keys")
    assert stat.S_IMODE((settings.home / "secrets" / "device_keys").stat().st_mode) == 0o600


def test_processes_that_ask_at_once_get_the_same_secret(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: generated_secret(settings, "device_keys"), range(32)))
    assert len(found) == 1
    assert [path.name for path in (settings.home / "secrets").iterdir()] == ["device_keys"]


def test_a_name_cannot_leave_the_folder(settings: Settings) -> None:
    with pytest.raises(ValueError, match="not a name"):
        generated_secret(settings, "../outside")
