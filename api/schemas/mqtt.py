"""What EMQX is answered, in its own form."""

from typing import Literal

from api.schemas.common import Schema


class AuthenticationOut(Schema):
    """Whether somebody may sign in. EMQX 5.7 and later keeps `client_attrs` with the connection."""

    result: Literal["allow", "deny"]
    is_superuser: bool = False
    client_attrs: dict[str, str] = {}  # noqa: RUF012  # pydantic copies defaults


class AuthorizationOut(Schema):
    """Whether a connection may do what it asks for."""

    result: Literal["allow", "deny"]
