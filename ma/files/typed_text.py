"""Typed cells of Excel and Parquet as the text a person would have typed."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal


def text_of(value: object) -> str | None:
    """491701.0 → "491701", a date → "2026-12-31", a time of day with it, true → "true"; nothing → None."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _number(value: float) -> str | None:
    if value != value:
        return None
    if value.is_integer() and abs(value) < 1e18:
        return str(int(value))
    return format(Decimal(repr(value)), "f") if abs(value) < 1e18 else repr(value)


def _moment(value: datetime) -> str:
    if value.tzinfo is None and (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0):
        return value.date().isoformat()
    return value.isoformat(sep=" ")
