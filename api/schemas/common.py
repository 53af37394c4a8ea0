"""What every answer shares."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

T = TypeVar("T")


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]
"""A moment in UTC, written as RFC 3339 with a Z."""


class Schema(BaseModel):
    """Base of all bodies: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Schema, Generic[T]):
    """One thing, or all of a short list."""

    data: T


class Page(Schema, Generic[T]):
    """One page of a longer list."""

    data: list[T]
    total: int
    page: int
    per_page: int
