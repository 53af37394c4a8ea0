"""One's own sign-ins, second factor and API keys; the audit trail."""

from typing import Any

from pydantic import AwareDatetime, Field

from api.schemas.common import Body, Moment, Schema


class SessionOut(Schema):
    """One of the person's sign-ins that are open."""

    id: str
    """Names the sign-in; it opens nothing."""
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment
    address: str | None
    user_agent: str | None
    is_current: bool
    """Whether it is the one that asks."""


class SecondFactorState(Schema):
    """Whether sign-in asks for a code."""

    is_on: bool
    recovery_codes_left: int


class PasswordAgain(Body):
    """The present password, asked again before something important."""

    password: str = Field(min_length=1, max_length=1024)


class EnrolmentOut(Schema):
    """What the authenticator app needs; shown once."""

    secret: str
    link: str
    """An otpauth:// address, to be shown as a QR code."""


class Code(Body):
    """Six digits of the app; where a second factor is on already, a recovery code works as well."""

    code: str = Field(min_length=6, max_length=20, examples=["123456"])


class PasswordAndCode(PasswordAgain, Code):
    """Both factors again, before one of them is given up."""


class RecoveryCodes(Schema):
    """Codes that stand in for the app, each once; shown once."""

    recovery_codes: list[str]


class KeyIn(Body):
    """A key for a program."""

    name: str = Field(min_length=1, max_length=100, examples=["ERP export"])
    scopes: list[str] = Field(min_length=1, max_length=10, examples=[["read"]])
    """Some of read, work, create_rules, run_analytics, generate_reports, manage_users; at most what the person may."""
    expires_at: AwareDatetime
    """At most 366 days from now."""


class KeyOut(Schema):
    """A key, without its secret."""

    id: int
    name: str
    prefix: str
    """How the key begins."""
    scopes: list[str]
    created_at: Moment
    expires_at: Moment
    last_used_at: Moment | None
    revoked_at: Moment | None


class KeyMade(KeyOut):
    """A new key with its secret, which is shown once."""

    key: str


class AuditEventOut(Schema):
    """Who did what to what."""

    position: int
    """1, 2, 3 ... in the factory, without gaps."""
    happened_at: Moment
    user_id: int | None
    """Null: the system itself."""
    user_email: str | None
    address: str | None
    action: str
    target: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


class ChainState(Schema):
    """Whether the audit trail is whole."""

    is_whole: bool
    events: int
    head: str
    """Hash of the newest event: write it down elsewhere, and a later check against it also finds a trail that was made anew."""
    problems: list[str]
