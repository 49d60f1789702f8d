"""Figures of a report in words: rates with their intervals, amounts, days."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ma import clock
from ma.charts.theme import percent_between
from ma.money import amount, unit
from ma.report.findings import Findings, Rate

UNKNOWN = "–"


def count(value: float) -> str:
    """A number of people or campaigns, exact."""
    return UNKNOWN if value != value else f"{value:,.0f}"


def interval(low: float, high: float) -> str:
    """The ends of an interval of a rate: 2.9–3.5 %."""
    return UNKNOWN if low != low or high != high else f"{low * 100:.1f}–{high * 100:.1f} %"


def conversion(row) -> str:
    """The conversion rate of a frame's row with its interval."""
    return percent_between(row.conversion_rate, row.conversion_rate_low, row.conversion_rate_high)


def between(value: str, low: str, high: str) -> str:
    """A figure with its interval, all in words: +12 (-3 to +27)."""
    return value if UNKNOWN in (value, low, high) else f"{value} ({ends(low, high)})"


def ends(low: str, high: str) -> str:
    """An interval, both ends in words."""
    return UNKNOWN if UNKNOWN in (low, high) else f"{low} to {high}"


def more(value: float) -> str:
    """A number of people that is a difference: +12."""
    return UNKNOWN if value != value else f"{value:+,.0f}"


def money(minor: float, currency: str) -> str:
    """An amount that is a difference, without cents: +$1,200."""
    if minor != minor:
        return UNKNOWN
    whole = amount(round(abs(minor) / unit(currency)) * unit(currency), currency).removesuffix(".00")
    return f"{'-' if minor < 0 else '+'}{whole}"


def rate(found: Rate) -> str:
    """A pooled rate with its interval."""
    return percent_between(found.value, found.low, found.high)


def signed(value: float) -> str:
    """A ROI: +120 %."""
    return UNKNOWN if value != value else f"{value * 100:+,.0f} %"


def day(value: date) -> str:
    """A calendar day: 3 March 2026."""
    return f"{value.day} {value:%B %Y}"


def moment(value: datetime, timezone: str) -> str:
    """An instant in a time zone: 3 March 2026, 14:05."""
    local = value.astimezone(ZoneInfo(timezone))
    return f"{day(local)}, {local:%H:%M}"


def period(findings: Findings) -> str:
    """The days on which the campaigns were launched, both ends included; of an open end that of the last."""
    zone, launched = findings.place.timezone, findings.campaigns["launched_at"]
    first = findings.start or clock.local_day(launched.min(), zone)
    last = findings.end - timedelta(days=1) if findings.end else clock.local_day(launched.max(), zone)
    return f"on {day(last)}" if first == last else f"from {day(first)} to {day(last)}"


def campaigns(number: int) -> str:
    """So many campaigns."""
    return f"{number:,} campaign{'' if number == 1 else 's'}"
