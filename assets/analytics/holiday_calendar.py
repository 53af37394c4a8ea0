"""Public holidays of the country that a factory stands in, from its time zone or as somebody says."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import resources

import holidays

from warehouse.errors import InvalidInputError


@cache
def country_of_zone(timezone: str) -> str | None:
    """ISO code of the country of an IANA zone, such as `VN` for Asia/Ho_Chi_Minh; None for those of no country, such as UTC."""
    table = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == timezone), None)


def holidays_of(country: str | None, years: Iterable[int]) -> frozenset[date]:
    """Days off of a country in these years, those that are moved included; none without a country.

    Raises InvalidInputError for a country that is not known.
    """
    if not country:
        return frozenset()
    try:
        return frozenset(holidays.country_holidays(country, years=list(years)))
    except NotImplementedError as unknown:
        raise InvalidInputError(f"the holidays of {country!r} are not known; give an ISO code such as DE", path="country") from unknown
