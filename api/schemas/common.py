"""What every answer shares."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, model_validator

T = TypeVar("T")


def rfc3339(moment: datetime) -> str:
    """The moment in UTC, as all answers write it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""A moment in UTC, written as RFC 3339 with a Z."""


_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _within_reason(moment: datetime) -> datetime:
    # Outside, conversions between zones and database types overflow.
    if not _EARLIEST <= moment < _LATEST:
        message = "must be from 1970 to 2199"
        raise ValueError(message)
    return moment.astimezone(UTC)


MomentIn = Annotated[AwareDatetime, AfterValidator(_within_reason)]
"""A moment that somebody sends: with an offset from UTC, from 1970 to 2199."""


_NOT_STORABLE: Final = re.compile("[\\0\\ud800-\\udfff]")


def is_storable(value: Any) -> bool:
    """False when a text in `value`, however deep, has NUL or half a character: PostgreSQL and UTF-8 cannot keep these."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and _NOT_STORABLE.search(one):
            return False
    return True


class Schema(BaseModel):
    """Base of all answers, and through `Body` of what is sent: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(Schema):
    """Base of what somebody sends."""

    @model_validator(mode="before")
    @classmethod
    def _texts_can_be_stored(cls, value: Any) -> Any:
        if isinstance(value, dict) and not is_storable(value):
            message = "a text has a NUL or half a character"
            raise ValueError(message)
        return value


class Data(Schema, Generic[T]):
    """One thing, or all of a short list."""

    data: T


class Page(Schema, Generic[T]):
    """One page of a longer list."""

    data: list[T]
    total: int
    page: int
    per_page: int


class Done(Schema):
    """What was done, in words."""

    message: str
