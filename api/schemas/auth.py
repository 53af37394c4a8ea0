"""Signing in over the API."""

from typing import Literal

from pydantic import Field

from api.schemas.common import Schema


class FactoryChoice(Schema):
    """A factory to sign in to."""

    id: int
    name: str
    slug: str


class Login(Schema):
    """What a person signs in with."""

    factory_id: int = Field(ge=1, le=2**31 - 1)
    email: str = Field(min_length=3, max_length=255)
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
