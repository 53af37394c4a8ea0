"""What mosquitto is told: its configuration, who may sign in, and who may say what. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class TlsListener:
    """Where to listen with TLS, and as whom."""

    host: str
    port: int
    certificate: Path
    key: Path


def configuration(folder: Path, host: str, port: int, user: str, tls: TlsListener | None = None) -> str:
    """The configuration file for a broker that keeps its files in `folder`, listens on one address, and runs as system user `user`.

    With `tls` it listens on a second address, there with TLS 1.2 or newer.
    """
    return f"""\
# Written by FactoryOps at each start.
user {user}
listener {port} {host}
{_tls_lines(tls)}set_tcp_nodelay true
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


def _tls_lines(tls: TlsListener | None) -> str:
    if tls is None:
        return ""
    lines = (f"listener {tls.port} {tls.host}", f"certfile {tls.certificate}", f"keyfile {tls.key}", "tls_version tlsv1.2")
    return "\n".join(lines) + "\n"


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
