"""Passwords are kept as argon2id hashes; checking one takes the same time whether or not the account exists."""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# argon2-cffi's defaults are RFC 9106's second profile: 64 MiB, 3 passes; about 50 ms here.
_HASHER = PasswordHasher()
NO_PASSWORD: Final = "!"  # noqa: S105 - no password: it opens nothing
"""Stands where the hash would, for people who have no password yet: it opens nothing."""


def hash_password(password: str) -> str:
    """The argon2id hash to store, with its own salt and parameters inside."""
    return _HASHER.hash(password)


def verify_password(password: str, hashed: str | None) -> bool:
    """Whether `password` belongs to `hashed`.

    `None` (no such account) and NO_PASSWORD do the same work and are False, so that time does not tell who has an account.
    """
    is_hash = hashed is not None and hashed.startswith("$argon2")
    try:
        _HASHER.verify(hashed if hashed is not None and is_hash else _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return is_hash


def needs_new_hash(hashed: str) -> bool:
    """Whether `hashed` was made with weaker parameters than those of today; replace it at the next sign-in."""
    return _HASHER.check_needs_rehash(hashed)


@cache
def _nobody() -> str:
    return _HASHER.hash("the password of nobody")
