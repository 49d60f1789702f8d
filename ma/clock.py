"""Real time, and nothing else. A workspace's demo clock is applied by the edges."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly (float seconds would round)."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant that many microseconds after 1970, in UTC."""
    return EPOCH + timedelta(microseconds=micros)


def day_start(day: date, timezone: str) -> datetime:
    """The instant at which a calendar day begins in a time zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def after_quiet(moment: datetime, timezone: str, begin: int | None, end: int | None) -> datetime:
    """The first instant from `moment` on outside the quiet hours, in UTC.

    They begin and end so many minutes after midnight and may go past it; None: there are none.
    """
    if begin is None or end is None:
        return moment
    zone = ZoneInfo(timezone)
    local = moment.astimezone(zone)
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin < end else minute >= begin or minute < end
    if not quiet:
        return moment
    day = local.date() + timedelta(days=1 if minute >= end else 0)
    over = datetime(day.year, day.month, day.day, end // 60, end % 60, tzinfo=zone).astimezone(UTC)
    # Where clocks go back, the end may come twice; nothing goes out before it was due.
    return max(over, moment)


def local_day(moment: datetime, timezone: str) -> date:
    """The calendar day of an instant in a time zone."""
    return moment.astimezone(ZoneInfo(timezone)).date()
