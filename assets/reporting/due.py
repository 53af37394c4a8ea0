"""When a schedule is due and which period its report covers, on the factory's clock; pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError

from warehouse.errors import InvalidInputError

PERIODS: Final = ("day", "week", "month")
MOST_AT_ONCE: Final = 31
WEEKLY: Final = "0 6 * * 1"
MONTHLY: Final = "0 6 1 * *"


def check_cron(cron: str) -> str:
    """The expression itself. Raises InvalidInputError for one that is not five fields of cron."""
    if len(cron.split()) != 5 or not croniter.is_valid(cron):
        raise InvalidInputError(f"{cron!r} is no cron expression of five fields, such as {WEEKLY!r} for Mondays at six", path="cron")
    return cron


def next_due(cron: str, zone: str, after: datetime) -> datetime:
    """The first moment after `after`, in UTC, at which the schedule is due on the factory's clock."""
    try:
        found: datetime = croniter(cron, after.astimezone(ZoneInfo(zone))).get_next(datetime)
    except (CroniterError, ValueError) as wrong:
        raise InvalidInputError(f"the schedule {cron!r} never comes due: {wrong}", path="cron") from wrong
    return found.astimezone(UTC)


def occurrences(cron: str, zone: str, first: datetime, now: datetime, *, catches_up: bool) -> list[datetime]:
    """Which occurrences are to be made now: all from `first` to `now`, or only the newest of them.

    After a long downtime at most the newest 31 are made.
    """
    found = list(_until(cron, zone, first, now))
    return found[-MOST_AT_ONCE:] if catches_up else found[-1:]


def _until(cron: str, zone: str, first: datetime, now: datetime) -> Iterator[datetime]:
    moment = first
    while moment <= now:
        yield moment
        moment = next_due(cron, zone, moment)


def period_of(period: str, zone: str, due: datetime) -> tuple[datetime, datetime]:
    """The last whole day, week (from Monday) or month before the schedule was due, as UTC moments."""
    midnight = due.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        end, start = midnight, midnight - timedelta(days=1)
    elif period == "week":
        end = midnight - timedelta(days=midnight.weekday())
        start = end - timedelta(days=7)
    elif period == "month":
        end = midnight.replace(day=1)
        start = (end - timedelta(days=1)).replace(day=1)
    else:
        raise InvalidInputError(f"{period!r} is no period; known: {', '.join(PERIODS)}", path="period")
    return start.astimezone(UTC), end.astimezone(UTC)
