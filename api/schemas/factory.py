"""The caller's own factory and its settings."""

from pydantic import Field

from api.schemas.common import Body, Schema
from warehouse.shifts import LONGEST_NAME, MOST_SHIFTS


class ShiftIn(Schema):
    """A part of each production day in the factory's time; one that ends before it begins goes over midnight."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["night"])
    start_time: str = Field(examples=["22:00"], description="On the quarter of an hour.")
    end_time: str = Field(examples=["06:00"], description="On the quarter of an hour.")


class FactoryOut(Schema):
    """A factory as its people see it."""

    id: int
    name: str
    slug: str
    timezone: str
    shifts: list[ShiftIn]
    """In order of the day."""


class FactoryChange(Body):
    """What is to change of a factory."""

    shifts: list[ShiftIn] | None = Field(
        max_length=MOST_SHIFTS, description="All shifts of the factory, which must not overlap; null: the usual three again."
    )
