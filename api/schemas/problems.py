"""How every refusal looks: RFC 9457, `application/problem+json`."""

from pydantic import Field

from api.schemas.common import Schema


class PlaceOfProblem(Schema):
    """One thing in the request that a program or person has to correct."""

    path: str
    """Where it is, such as `body.name`, `query.page` or `$.conditions[1].operator`."""
    message: str


class Problem(Schema):
    """Why a request was not answered as asked."""

    type: str = "about:blank"
    title: str
    """The status in words; the same for every problem of that status."""
    status: int
    detail: str
    """What went wrong this time, and what to do about it."""
    instance: str
    """The path that was asked for."""
    request_id: str
    """The X-Request-ID of the answer; it is in our logs as well."""
    errors: list[PlaceOfProblem] = Field(default_factory=list)
    """The places to correct; empty when the problem is not one of input."""
