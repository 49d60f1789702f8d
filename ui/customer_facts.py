"""Small words and tables that the parts of a customer's screen share."""

from datetime import date

import pandas as pd
import streamlit as st

from ui.text import literal


def facts(rows: dict[str, object]) -> None:
    """Names and values below each other; unknown is –. Names and values are data: shown as they are."""
    shown = [
        (f":gray[{literal(label)}]", "–" if value in (None, "") else literal(value))
        for label, value in rows.items()
    ]
    st.table(pd.DataFrame(shown, columns=["", " "]), border="horizontal", hide_index=True, hide_header=True)


def place_of(fields: dict) -> str:
    """City and country, as far as they are known."""
    return ", ".join(part for part in (fields["city"], fields["country"]) if part)


def shown_day(day: date) -> str:
    """A calendar day as people write it: 5 Mar 2026."""
    return f"{day.day} {day:%b %Y}"


def ago(today: date, day: date) -> str:
    """How long ago a day is, in words."""
    days = (today - day).days
    return {0: "today", 1: "yesterday"}.get(days, f"{days:,} days ago")
