"""Keys with which machines sign in to the broker. Only a hash is stored, in the form of mosquitto's password file."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

# Mosquitto's own figures. Keys are random and long, so stretching has nothing to protect.
_ITERATIONS: Final = 101
_SALT_BYTES: Final = 12
_KEY_BYTES: Final = 18


def new_device_key() -> str:
    """A random key of 24 characters, to be shown once and stored as its hash."""
    return secrets.token_urlsafe(_KEY_BYTES)


def hash_device_key(device_key: str, salt: bytes | None = None) -> str:
    """The hash of a key (`$7$101$salt$hash`, PBKDF2 with SHA-512) as mosquitto 2 reads it from its password file."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", device_key.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_device_key(device_key: str, hashed: str | None) -> bool:
    """Whether `device_key` belongs to `hashed`; False for no hash and for hashes of another form."""
    parts = (hashed or "").split("$")
    if len(parts) != 5 or parts[1] != "7" or not parts[2].isdigit():
        return False
    digest = hashlib.pbkdf2_hmac("sha512", device_key.encode(), base64.b64decode(parts[3]), int(parts[2]))
    return hmac.compare_digest(base64.b64encode(digest).decode(), parts[4])


def derived_device_key(secret: str, user_name: str) -> str:
    """The key of a demo machine, from a secret of the installation: the demo can name it again without storing it."""
    digest = hmac.new(secret.encode(), user_name.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_KEY_BYTES]).decode()


def device_user_name(slug: str, device_key: str) -> str:
    """The broker's user name of a machine; it may write to `factories/<user name>/telemetry` only."""
    return f"{slug}/devices/{device_key}"
