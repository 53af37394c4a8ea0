"""The secret of a demo installation from which its machines' keys are derived. Lives in the home folder, is never printed."""

import os
import secrets
from functools import partial
from pathlib import Path
from typing import Final

from ingest.device_keys import derived_device_key
from ingest.simulator.publisher import Broker
from warehouse.errors import PermanentError
from warehouse.settings import Settings

SECRET_FILE: Final = "demo-device-secret"  # noqa: S105  # a name, not a secret
OWN_HOST: Final = "127.0.0.1"


def make_device_secret(home: Path) -> str:
    """The secret; made at the first call, in a file that only its owner may read."""
    path = home / SECRET_FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def demo_device_key(settings: Settings, user_name: str) -> str:
    """The key with which a demo machine signs in to the broker as `user_name`. Raises PermanentError when there is no demo here."""
    path = settings.home / SECRET_FILE
    if not path.exists():
        raise PermanentError(f"there is no demo in {settings.home}; `factoryops up --demo` makes one", home=str(settings.home))
    return derived_device_key(path.read_text(), user_name)


def broker_of(settings: Settings) -> Broker:
    """The broker of the settings, as the demo's machines sign in to it. Raises PermanentError when there is no demo here."""
    demo_device_key(settings, "")
    return Broker(settings.mqtt_broker_host or OWN_HOST, settings.mqtt_broker_port, partial(demo_device_key, settings))
