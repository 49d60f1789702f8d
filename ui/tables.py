"""Columns of st.dataframe by meaning: money, counts, rates, days."""

import pandas as pd
import streamlit as st

from ma.money import amount, digits, symbol, unit
from ui import session

__all__ = ["amount", "count", "day", "digits", "major", "moment", "money", "rate", "symbol"]


def major(frame: pd.DataFrame, columns: list[str], *, currency: str | None = None) -> pd.DataFrame:
    """A copy whose minor-unit columns are in major units, renamed: spend_minor becomes spend.

    The currency is the workspace's unless given.
    """
    whole = unit(currency or session.workspace().currency)
    return frame.assign(**{name: frame[name] / whole for name in columns}).rename(
        columns={name: name.removesuffix("_minor") for name in columns}
    )


def money(label: str, currency: str | None = None, **options):
    """A column of amounts in major units (see `major`)."""
    currency = currency or session.workspace().currency
    return st.column_config.NumberColumn(label, format=f"{symbol(currency)}%,.{digits(currency)}f", **options)


def count(label: str, **options):
    """A column of whole numbers with thousands separators."""
    return st.column_config.NumberColumn(label, format="%,d", **options)


def rate(label: str, **options):
    """A column of rates (0 to 1) as percentages with two decimals."""
    return st.column_config.NumberColumn(label, format="percent", step=0.0001, **options)


def day(label: str, **options):
    """A column of calendar days."""
    return st.column_config.DateColumn(label, format="D MMM YYYY", **options)


def moment(label: str, timezone: str | None = None, **options):
    """A column of instants, in the workspace's time zone."""
    return st.column_config.DatetimeColumn(
        label, format="D MMM YYYY, HH:mm", timezone=timezone or session.workspace().timezone, **options
    )
