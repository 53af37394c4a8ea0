"""Passwords are kept as argon2id hashes; checking one takes the same time whether or not the account exists."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# argon2-cffi's defaults are RFC 9106's second profile: 64 MiB, 3 passes; about 50 ms here.
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash to store, with its own salt and parameters inside."""
    return _HASHER.hash(password)


def verify_password(password: str, hashed: str | None) -> bool:
    """Whether `password` belongs to `hashed`.

    `None` (no such account) does the same work and is False, so that time does not tell who has an account.
    """
    try:
        _HASHER.verify(hashed or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def needs_new_hash(hashed: str) -> bool:
    """Whether `hashed` was made with weaker parameters than those of today; replace it at the next sign-in."""
    return _HASHER.check_needs_rehash(hashed)


@cache
def _nobody() -> str:
    return _HASHER.hash("the password of nobody")
