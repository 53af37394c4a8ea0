"""The keys that sign access tokens: the present one, and while it is being replaced the one before."""

from warehouse.secrets import generated_secret
from warehouse.settings import Settings


def signing_key(settings: Settings) -> str:
    """JWT_SECRET_KEY, or, outside production, a key that was generated once and is kept in FACTORYOPS_HOME."""
    return settings.jwt_secret_key.get_secret_value() or generated_secret(settings, "jwt_secret_key")


def accepted_keys(settings: Settings) -> list[str]:
    """The key that signs, then JWT_SECRET_KEY_PREVIOUS where it is set: what either of them signed or sealed is accepted."""
    previous = settings.jwt_secret_key_previous.get_secret_value()
    return [signing_key(settings), *([previous] if previous else [])]
