"""Columns of st.dataframe by meaning: money, counts, rates, days."""

import pandas as pd
import streamlit as st

from ui import session

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# Currencies without a smaller unit (ISO 4217); every other one here has hundredths.
_WHOLE = {"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"}


def symbol(currency: str) -> str:
    """What stands before an amount: $, €, or the code and a space."""
    return _SYMBOLS.get(currency, f"{currency} ")


def digits(currency: str) -> int:
    """How many decimals amounts of a currency have."""
    return 0 if currency in _WHOLE else 2


def major(frame: pd.DataFrame, columns: list[str], *, currency: str | None = None) -> pd.DataFrame:
    """A copy whose minor-unit columns are in major units, renamed: spend_minor becomes spend.

    The currency is the workspace's unless given.
    """
    unit = 10 ** digits(currency or session.workspace().currency)
    return frame.assign(**{name: frame[name] / unit for name in columns}).rename(
        columns={name: name.removesuffix("_minor") for name in columns}
    )


def amount(minor: float | None, currency: str) -> str:
    """An amount in minor units as text: "$1,234.50"; unknown is "–"."""
    if minor is None or pd.isna(minor):
        return "–"
    places = digits(currency)
    return f"{'-' if minor < 0 else ''}{symbol(currency)}{abs(minor) / 10**places:,.{places}f}"


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
