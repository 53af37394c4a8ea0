"""People of a factory as the API takes and gives them."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.schemas.common import Body, Moment, Schema

Role = Literal["super_admin", "admin", "viewer"]


class Permissions(Schema):
    """What an admin may do; a super admin may do everything, a viewer nothing. What is not given stays."""

    create_rules: bool | None = None
    run_analytics: bool | None = None
    generate_reports: bool | None = None
    manage_users: bool | None = None

    def given(self) -> dict[str, bool]:
        """Those that were named."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class InviteIn(Body):
    """Who is to be invited."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "email": "newengineer@vpc.com",
                    "whatsapp_number": "+84901234567",
                    "permissions": {"create_rules": True, "run_analytics": True, "generate_reports": False},
                }
            ]
        },
    )

    email: Annotated[str, Field(min_length=3, max_length=255)]
    name: Annotated[str, Field(max_length=255)] | None = None
    whatsapp_number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    role: Role = "admin"
    permissions: Permissions = Field(default_factory=Permissions)


class AcceptIn(Body):
    """The secret of the invitation's link, and the password that the person chose."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    name: Annotated[str, Field(max_length=255)] | None = None


class RightsIn(Body):
    """What a person may do from now on."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"permissions": {"generate_reports": True}, "reason": "new shift lead"}]},
    )

    permissions: Permissions
    role: Role | None = None
    reason: Annotated[str, Field(max_length=1000)] | None = None
    """For the audit trail."""


class PersonOut(Schema):
    """Somebody who works here, did, or is invited."""

    id: int
    email: str
    name: str | None
    whatsapp_number: str | None
    role: str
    permissions: dict[str, bool]
    status: str
    """`active`, `invited` or `deactivated`."""
    is_active: bool
    invited_at: Moment | None
    last_login: Moment | None
    created_at: Moment
