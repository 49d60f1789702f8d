"""What events and what happens to them are called on screens."""

import re

from ma.charts.activity import MODULES

STATES = {"waiting": "Waiting", "sent": "Sent", "settled": "Everybody has it"}
__all__ = ["MODULES", "STATES", "event", "span"]


def event(type_: str) -> str:
    """An event's type in words: OutcomesRecorded is "Outcomes recorded"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type_).capitalize()


def span(seconds: float) -> str:
    """A length of time, roughly: 0.4 s, 12 s, 5 min, 3 h, 2 days; – where unknown."""
    if seconds != seconds:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
