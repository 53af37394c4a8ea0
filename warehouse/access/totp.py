"""One-time codes of authenticator apps: RFC 6238 with SHA-1, 30 seconds and 6 digits, which is what all apps speak. Pure."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
DRIFT_STEPS: Final = 1
"""Phones whose clock is this many steps off still work."""


def new_secret() -> str:
    """160 random bits in base32, as apps take them."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of the step-th 30 seconds since 1970."""
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(moment: datetime) -> int:
    """Number of the 30 seconds that hold `moment` (aware)."""
    return int(moment.timestamp()) // STEP_S


def matching_step(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The step whose code was given, newer than `after` so that no code works twice; None when it is wrong."""
    here = step_of(now)
    found = None
    for step in range(here - DRIFT_STEPS, here + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def app_link(secret: str, email: str, factory: str) -> str:
    """The otpauth:// address that apps read from a QR code."""
    label = quote(f"FactoryOps {factory}:{email}")
    return f"otpauth://totp/{label}?secret={secret}&issuer={quote(f'FactoryOps {factory}')}&digits={DIGITS}&period={STEP_S}"
