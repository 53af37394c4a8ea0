"""What mosquitto is told: its configuration, who may sign in, and who may say what. Pure."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ingest.device_keys import device_user_name
from ingest.topics import SUBSCRIPTION

MOST_UNACKNOWLEDGED: Final = 20_000
"""Messages under way to the ingester. Mosquitto's own 20 would be its speed limit, and 0 lets message ids come round too early."""
QUEUE_BYTES: Final = 1 << 30
"""What the broker keeps for an ingester that is away; after that new messages are dropped."""
LARGEST_MESSAGE_BYTES: Final = 1 << 20
CONFIGURATION: Final = "mosquitto.conf"
PASSWORDS: Final = "passwords"  # the name of a file
PERMISSIONS: Final = "permissions"


def configuration(folder: Path, host: str, port: int, user: str) -> str:
    """The configuration file for a broker that keeps its files in `folder`, listens on one address, and runs as system user `user`."""
    return f"""\
# Written by FactoryOps at each start.
user {user}
listener {port} {host}
set_tcp_nodelay true
allow_anonymous false
password_file {folder / PASSWORDS}
acl_file {folder / PERMISSIONS}
max_inflight_messages {MOST_UNACKNOWLEDGED}
max_queued_messages 0
max_queued_bytes {QUEUE_BYTES}
message_size_limit {LARGEST_MESSAGE_BYTES}
persistence true
persistence_location {folder}/
autosave_interval 60
persistent_client_expiration 7d
log_dest stderr
log_type error
log_type warning
connection_messages false
"""


def permissions(ingester_user: str) -> str:
    """The ACL file: the ingester reads all telemetry, a device writes its own and nothing else."""
    return f"""\
# Written by FactoryOps at each start. %u is the user's name, such as vpc/devices/M01.
user {ingester_user}
topic read {SUBSCRIPTION}

pattern write factories/%u/telemetry
"""


def passwords(ingester_user: str, ingester_hash: str, devices: Iterable[tuple[str, str, str]]) -> str:
    """The password file; `devices` are (slug, device key, hash of its key).

    Devices whose names would change the meaning of the file or of the ACL pattern are left out.
    """
    lines = [f"{ingester_user}:{ingester_hash}"]
    lines += [f"{device_user_name(slug, key)}:{hashed}" for slug, key, hashed in devices if is_plain(slug) and is_plain(key)]
    return "\n".join(lines) + "\n"


def is_plain(name: str) -> bool:
    """Whether a slug or device key can be part of a user name: no level separator, wildcard, separator of the file or blank line."""
    return bool(name) and name.isprintable() and not set(name) & set("/+#:") and name == name.strip()
