"""Numbers and times as reports print them: three significant digits, factory zone, true minus, "—" for unknown; pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from assets.reporting.words import Language, language

NONE: Final = "—"
PERCENT_JUST_BELOW_ALL: Final = 99.9


@dataclass(frozen=True)
class Writer:
    """Writes numbers in a language and moments in a factory's zone."""

    words: Language
    zone: ZoneInfo

    def num(self, value: float | None, digits: int = 3) -> str:
        """Significant digits: 100 and above whole with thousands marked, at most two decimals."""
        if value is None or value != value:  # noqa: PLR0124  # not a number
            return NONE
        if value == 0:
            return "0"
        places = 0 if abs(value) >= 99.95 else max(0, digits - (2 if abs(value) >= 9.995 else 1))
        return self.fixed(value, min(places, 2))

    def fixed(self, value: float, places: int) -> str:
        """A fixed number of decimals, with this language's signs and a true minus."""
        text = f"{value:,.{places}f}".replace("-", "−")
        return text.translate({ord(","): self.words.thousands, ord("."): self.words.decimal})

    def exact(self, value: float) -> str:
        """A number that people chose, such as a limit: with the decimals that it has, at most four."""
        text = f"{value:,.4f}".rstrip("0").rstrip(".").replace("-", "−")
        return text.translate({ord(","): self.words.thousands, ord("."): self.words.decimal})

    def percent(self, share: float | None, places: int = 1) -> str:
        """A share as percent without the sign. 100 only when nothing is missing: 99.96 never rounds up."""
        if share is None:
            return NONE
        percent = share * 100
        if percent >= 100:
            return self.fixed(percent, 0)
        return self.fixed(min(percent, 100 - 10**-places), places) if percent > PERCENT_JUST_BELOW_ALL else self.fixed(percent, places)

    def signed(self, value: float | None, places: int = 1) -> str:
        """A change with its sign; ±0 when nothing is left after rounding."""
        if value is None:
            return NONE
        if round(value, places) == 0:
            return "±0"
        return ("+" if value > 0 else "") + self.fixed(value, places)

    def span(self, minutes: float | None) -> str:
        """A duration in its two largest units."""
        if minutes is None:
            return NONE
        whole = round(minutes)
        if whole < 60:
            return f"{whole} min"
        if whole < 1440:
            hours, rest = divmod(whole, 60)
            return f"{hours} h {rest} min" if rest else f"{hours} h"
        days, rest = divmod(whole, 1440)
        return f"{days} d {rest // 60} h" if rest >= 60 else f"{days} d"

    def local(self, moment: datetime) -> datetime:
        """The moment on the factory's clock."""
        return moment.astimezone(self.zone)

    def at(self, moment: datetime) -> str:
        """Day of the week, day and time: `Tue 17 03:12`."""
        found = self.local(moment)
        return f"{self.words.days[found.weekday()]} {found.day} {found:%H:%M}"

    def day(self, moment: datetime) -> str:
        """`Tue 17`."""
        found = self.local(moment)
        return f"{self.words.days[found.weekday()]} {found.day}"

    def date(self, moment: datetime) -> str:
        """`17 Nov 2026`."""
        found = self.local(moment)
        return f"{found.day} {self.words.months[found.month - 1]} {found.year}"

    def stamp(self, moment: datetime) -> str:
        """`17 Nov 2026 03:12 +07`, as signatures carry it."""
        found = self.local(moment)
        return f"{self.date(moment)} {found:%H:%M} {found.tzname()}"

    def zone_name(self, moment: datetime) -> str:
        """The zone with its distance from UTC at that moment."""
        found = self.local(moment)
        offset = f"{found:%z}"
        minutes = offset[3:5] if offset[3:5] != "00" else ""
        hours = offset[1:3].lstrip("0") or "0"
        return f"{self.zone.key} (UTC{'−' if offset[0] == '-' else '+'}{hours}{':' + minutes if minutes else ''})"


def writer(code: str, zone: str) -> Writer:
    """A writer for that language and IANA zone."""
    return Writer(language(code), ZoneInfo(zone))
