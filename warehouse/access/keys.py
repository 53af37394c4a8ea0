"""The key that signs access tokens."""

from warehouse.secrets import generated_secret
from warehouse.settings import Settings


def signing_key(settings: Settings) -> str:
    """JWT_SECRET_KEY, or, outside production, a key that was generated once and is kept in FACTORYOPS_HOME."""
    return settings.jwt_secret_key.get_secret_value() or generated_secret(settings, "jwt_secret_key")
