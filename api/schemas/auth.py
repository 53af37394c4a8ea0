"""Signing in, staying signed in, and passwords."""

from typing import Literal

from pydantic import Field

from api.schemas.common import Body, Moment, Schema


class FactoryChoice(Schema):
    """A factory to sign in to."""

    id: int
    name: str
    slug: str


class Login(Body):
    """What a person signs in with."""

    factory_id: int = Field(ge=1, le=2**31 - 1, examples=[1])
    email: str = Field(min_length=3, max_length=255, examples=["engineer@vpc.com"])
    password: str = Field(min_length=1, max_length=1024)


class UserOut(Schema):
    """The person who signed in."""

    id: int
    email: str
    role: str
    permissions: dict[str, bool]


class Token(Schema):
    """An access token for the header `Authorization: Bearer ...`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme, no secret
    expires_in: int
    """Seconds until the token ends."""
    user: UserOut


class Refreshed(Schema):
    """A newer access token of the same sign-in."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme, no secret
    expires_in: int
    """Seconds until the token ends."""


class CodeAsked(Schema):
    """The password is right; `POST /v1/auth/second-factor` with the ticket and a code finishes the sign-in."""

    ticket: str
    """Works for five minutes and five codes."""
    expires_in: int


class CodeGiven(Body):
    """The second step of a sign-in."""

    ticket: str = Field(min_length=1, max_length=200)
    code: str = Field(min_length=6, max_length=20, examples=["123456"])
    """Six digits of the app, or a recovery code."""


class PasswordChange(Body):
    """The present password and a new one."""

    old_password: str = Field(min_length=1, max_length=1024)
    new_password: str = Field(min_length=1, max_length=1024)


class ResetAsked(Body):
    """Who wants a new password."""

    factory_id: int = Field(ge=1, le=2**31 - 1)
    email: str = Field(min_length=3, max_length=255)


class ResetGiven(Body):
    """The secret of the mail's link, and the new password."""

    token: str = Field(min_length=1, max_length=200)
    new_password: str = Field(min_length=1, max_length=1024)


class Me(Schema):
    """Who asks, and with which rights."""

    id: int
    email: str
    name: str
    role: str
    permissions: dict[str, bool]
    factory_id: int
    factory_slug: str
    factory_name: str
    timezone: str
    """IANA name of the factory's zone."""
    expires_at: Moment
    """When this sign-in or key ends."""
    api_key_id: int | None
    """The key that asks; null for a person who signed in."""
