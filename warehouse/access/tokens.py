"""Signed access tokens of the REST API. The signature only carries the session's id; the session's row decides."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from warehouse.access.sessions import Identity
from warehouse.errors import PermanentError

ALGORITHM = "HS256"


class TokenRefusedError(PermanentError):
    """The token is not one of ours, was changed, or has expired."""


@dataclass(frozen=True)
class TokenClaims:
    """What a token says; only worth something together with a live session."""

    session_id: str
    user_id: int
    factory_id: int


def make_access_token(identity: Identity, key: str, issued_at: datetime) -> str:
    """A token that ends with the session; claims as in the specification plus `sid`."""
    claims = {
        "sub": str(identity.user_id),
        "factory_id": identity.factory_id,
        "factory_slug": identity.factory_slug,
        "role": identity.role,
        "sid": identity.session_id,
        "iat": int(issued_at.timestamp()),
        "exp": int(identity.expires_at.timestamp()),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_access_token(token: str, *keys: str) -> TokenClaims:
    """The claims of a token that one of the keys signed and whose lifetime is right. Raises TokenRefusedError."""
    try:
        claims = read_signed(token, keys, ["exp", "iat", "sub", "sid"])
        return TokenClaims(str(claims["sid"]), int(claims["sub"]), int(claims["factory_id"]))
    except (jwt.InvalidTokenError, KeyError, ValueError) as refused:
        raise TokenRefusedError("The access token is not valid or has expired; sign in again.") from refused


def read_signed(token: str, keys: Sequence[str], required: list[str]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed. Raises jwt.InvalidTokenError, that of the last key."""
    for key in keys[:-1]:
        with suppress(jwt.InvalidSignatureError):
            return dict(jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": required}))
    return dict(jwt.decode(token, keys[-1], algorithms=[ALGORITHM], options={"require": required}))
