"""The period filter: a choice of days up to today, kept in the address."""

from datetime import date, timedelta

import streamlit as st

from ma import clock
from ui import session

PERIODS = {"7": "7 days", "28": "28 days", "91": "13 weeks", "364": "52 weeks"}


def period(*, key: str = "days", default: str = "91") -> tuple[date, date]:
    """Draw the choice and return [start, end): whole days in the workspace's time zone, today included."""
    chosen = st.segmented_control(
        "Period",
        list(PERIODS),
        format_func=PERIODS.get,
        default=default,
        key=key,
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    workspace = session.workspace()
    end = clock.local_day(workspace.now(), workspace.timezone) + timedelta(days=1)
    return end - timedelta(days=int(chosen or default)), end


def words(start: date, end: date) -> str:
    """A period in words: "3 Mar – 30 Mar 2026"."""
    last = end - timedelta(days=1)
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day} {start:%b}{year} – {last.day} {last:%b %Y}"
