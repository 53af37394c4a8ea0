"""Numbers and times as people read them. The factory's zone decides, never the browser's. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def num(value: float | None, digits: int = 3) -> str:
    """Three significant digits, thousands with a comma, whole numbers from 100 up, a real minus, an em dash for none."""
    if value is None or value != value:  # noqa: PLR0124 - the one value that differs from itself is NaN
        return "—"
    # What it will be after rounding decides how many places it gets: 99.96 is 100, not 100.0.
    size = abs(float(f"{value:.{digits}g}"))
    if size < 10 ** (-digits - 1):
        return "0"
    places = digits if size < 0.1 else digits - 1 if size < 10 else digits - 2 if size < 100 else 0
    text = f"{value:,.{places}f}"
    return "0" if not text.strip("-0.,") else text.replace("-", "−")


def exact(value: float) -> str:
    """A threshold as it was set: no rounding, no trailing zeros."""
    return f"{value:,.10f}".rstrip("0").rstrip(".").replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A change always shows its sign."""
    return ("+" if value > 0 else "") + num(value, digits)


def percent_change(now: float | None, before: float | None) -> str | None:
    """The change in percent with its sign, or None when there is nothing to compare with."""
    return f"{signed(100 * (now / before - 1))} %" if before and now is not None else None


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        hours, minutes = divmod(whole // _MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days, hours = divmod(whole // _HOUR, 24)
    return f"{days} d {hours} h" if hours and days < 3 else f"{days} d"


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 machine`, `2 machines`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


@dataclass(frozen=True)
class Local:
    """The factory's clock at one moment: turns aware moments into what people there say."""

    now: datetime
    zone: ZoneInfo

    @classmethod
    def at(cls, now: datetime, timezone: str) -> "Local":
        """`timezone` is an IANA name."""
        zone = ZoneInfo(timezone)
        return cls(now.astimezone(zone), zone)

    @property
    def clock(self) -> str:
        """The wall clock, such as 16:42."""
        return f"{self.now:%H:%M}"

    @property
    def zone_name(self) -> str:
        """What people call the zone, such as CET; GMT+7 where it has no letters of its own."""
        return self._zone_at(self.now)

    @property
    def midnight(self) -> datetime:
        """The start of the factory's day."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    def here(self, moment: datetime) -> datetime:
        """The moment on the factory's clock."""
        return moment.astimezone(self.zone)

    def ago(self, moment: datetime) -> str:
        """Relative below 12 hours, then the day and the clock."""
        seconds = (self.now - moment).total_seconds()
        if seconds < 12 * _HOUR:
            return f"{span(seconds)} ago"
        then = self.here(moment)
        days = (self.now.date() - then.date()).days
        return {0: "today", 1: "yesterday"}.get(days, f"{then:%-d %b}") + f" {then:%H:%M}"

    def age(self, moment: datetime) -> str:
        """How long ago, without the word."""
        return span((self.now - moment).total_seconds())

    def stamp(self, moment: datetime) -> str:
        """The full moment with its zone, for tooltips and details."""
        then = self.here(moment)
        return f"{then:%-d %b %Y %H:%M:%S} {self._zone_at(then)}"

    def time(self, moment: datetime) -> str:
        """The clock of today, or day and clock of another day."""
        then = self.here(moment)
        return f"{then:%H:%M}" if then.date() == self.now.date() else f"{then:%-d %b %H:%M}"

    def wall(self, moment: datetime) -> int:
        """Milliseconds that ECharts with useUTC shows as the factory's wall clock in any browser."""
        return int(self.here(moment).replace(tzinfo=UTC).timestamp() * 1000)

    def _zone_at(self, then: datetime) -> str:
        name = then.tzname() or "UTC"
        if name[0] not in "+-":
            return name
        offset = then.utcoffset() or timedelta(0)
        hours, minutes = divmod(int(offset.total_seconds()) // _MINUTE, 60)
        return f"GMT{hours:+d}" + (f":{minutes:02d}" if minutes else "")
