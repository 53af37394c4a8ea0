"""Messages that were refused."""

from typing import Annotated

from pydantic import Field

from api.schemas.common import Body, Moment, Schema


class LetterOut(Schema):
    """A message, or a part of one, that could not be accepted."""

    id: int
    reason: str
    said: str
    """The reason as a sentence."""
    detail: str
    topic: str
    device_id: int | None
    device_key: str | None
    received_at: Moment
    payload_size: int
    """Bytes, as it was sent."""


class LetterWithPayload(LetterOut):
    """One letter with what was sent."""

    payload: str
    """At most 64 KiB; bytes that are no UTF-8 as escapes."""
    is_cut: bool


class LetterChoice(Body):
    """Which letters are meant: those that have everything that is given, at least one thing."""

    ids: Annotated[list[int], Field(min_length=1, max_length=1000)] | None = None
    reason: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    device_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class PurgeOut(Schema):
    """How many letters are gone."""

    purged: int
