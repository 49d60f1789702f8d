"""Instants as people speak of them."""

from datetime import datetime, timedelta

from pandas import NaT


def ago(moment: datetime | None, at: datetime) -> str:
    """How long ago: "just now", "5 minutes ago", "3 days ago"; "never" without a moment."""
    if moment is None or moment is NaT:
        return "never"
    for name, length in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if (number := (at - moment) // length) >= 1:
            return f"{number:,} {name}{'' if number == 1 else 's'} ago"
    return "just now"
