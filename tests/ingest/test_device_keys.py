import subprocess
from pathlib import Path

import pytest

from ingest.device_keys import derived_device_key, device_user_name, hash_device_key, new_device_key, verify_device_key
from tests.helpers import require_program


def test_a_key_belongs_to_its_hash_and_to_no_other() -> None:
    key = new_device_key()
    assert verify_device_key(key, hash_device_key(key))
    assert not verify_device_key(key, hash_device_key(new_device_key()))


@pytest.mark.parametrize("hashed", [None, "", "plain", "$6$abc$def", "$7$x$abc$def"])
def test_what_is_no_hash_belongs_to_no_key(hashed: str | None) -> None:
    assert not verify_device_key("key", hashed)


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_device_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 24 for key in keys)


def test_a_derived_key_depends_on_the_secret_and_the_user() -> None:
    found = {derived_device_key(secret, user) for secret in ("one", "two") for user in ("vpc/devices/M01", "vpc/devices/M02")}
    assert len(found) == 4
    assert derived_device_key("one", "vpc/devices/M01") in found


def test_a_user_name_is_the_middle_of_the_topic() -> None:
    assert f"factories/{device_user_name('vpc', 'M01')}/telemetry" == "factories/vpc/devices/M01/telemetry"


@pytest.mark.slow
def test_hashes_have_the_form_that_mosquitto_writes(tmp_path: Path) -> None:
    program = require_program("mosquitto_passwd", package="mosquitto")
    subprocess.run([program, "-b", "-c", tmp_path / "passwd", "someone", "a key"], check=True, capture_output=True)
    assert verify_device_key("a key", (tmp_path / "passwd").read_text().strip().removeprefix("someone:"))
