"""The keys of the demo's machines, derived from a secret that the installation makes for itself."""

from functools import partial
from typing import Final

from ingest.credentials import OWN_HOST
from ingest.device_keys import derived_device_key
from ingest.simulator.publisher import Broker
from warehouse.errors import PermanentError
from warehouse.secrets import generated_secret
from warehouse.settings import Settings

DEVICES_SECRET: Final = "demo_devices"  # noqa: S105  # the name of a secret


def make_device_secret(settings: Settings) -> str:
    """The secret; made at the first call."""
    return generated_secret(settings, DEVICES_SECRET)


def demo_device_key(settings: Settings, user_name: str) -> str:
    """The key with which a demo machine signs in to the broker as `user_name`. Raises PermanentError when there is no demo here."""
    if not (settings.home / "secrets" / DEVICES_SECRET).exists():
        raise PermanentError(f"there is no demo in {settings.home}; `factoryops up --demo` makes one", home=str(settings.home))
    return derived_device_key(make_device_secret(settings), user_name)


def broker_of(settings: Settings) -> Broker:
    """The broker of the settings, as the demo's machines sign in to it. Raises PermanentError when there is no demo here."""
    demo_device_key(settings, "")
    return Broker(settings.mqtt_broker_host or OWN_HOST, settings.mqtt_broker_port, partial(demo_device_key, settings))
