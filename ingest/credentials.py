"""As whom the ingester signs in to the broker."""

from dataclasses import dataclass
from typing import Final

from warehouse.secrets import generated_secret
from warehouse.settings import Settings

INGESTER_USER: Final = "factoryops-ingest"
INGESTER_SECRET: Final = "mqtt_ingester"  # noqa: S105  # the name of a secret
OWN_HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Login:
    """Where the broker is and as whom to sign in. `client_id` names the session that the broker keeps."""

    host: str
    port: int
    username: str
    password: str
    client_id: str


def ingester_login(settings: Settings) -> Login:
    """The login of the settings; for the broker that we start ourselves, one that is made at the first call and kept."""
    if settings.mqtt_broker_host:
        password = settings.mqtt_password.get_secret_value()
        return Login(settings.mqtt_broker_host, settings.mqtt_broker_port, settings.mqtt_username, password, settings.mqtt_client_id)
    return Login(OWN_HOST, settings.mqtt_broker_port, INGESTER_USER, ingester_password(settings), settings.mqtt_client_id)


def ingester_password(settings: Settings) -> str:
    """What the broker that we start lets the ingester in with: MQTT_PASSWORD when it is set, because they may run on two machines."""
    return settings.mqtt_password.get_secret_value() or generated_secret(settings, INGESTER_SECRET)
