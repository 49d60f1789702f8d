"""What sending a campaign added against its holdout: cards, and the same beside what is attributed."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from ma.analytics.incrementality import FEWEST_BUYERS
from ma.charts import theme
from ma.charts.forecast import FIGURES
from ma.money import amount
from ui.export import export_button
from ui.text import literal

# What sending added, and the same as it is attributed.
_ROWS = (
    ("incremental_conversions", "converted_sent"),
    ("incremental_revenue_minor", "revenue_minor"),
    ("incremental_profit_minor", "profit_minor"),
    ("incremental_roi", "roi"),
)
_LABELS = FIGURES | {"incremental_roi": "Incremental ROI"}


def cards(row: Mapping, currency: str) -> None:
    """The four figures with their intervals; below zero is said."""
    with st.grid(columns=4, border=True, min_column_width=190):
        for name, attributed in _ROWS:
            low, high = _ends(row, name)
            beside = f"95 %: {_short(low, name, currency)} to {_short(high, name, currency)}"
            st.metric(
                _LABELS[name],
                _short(row[name], name, currency),
                delta=beside if low == low else "how sure is unknown",
                delta_color="off",
                delta_arrow="off",
                help=_help(name, row, currency, attributed),
                height="stretch",
            )
    if not row["enough_buyers"]:
        st.caption(
            f":material/info: Fewer than {FEWEST_BUYERS} people bought on one side, so the intervals of "
            "revenue, profit and ROI hold only about 9 times in 10: one large purchase would move them."
        )


def in_money(row: Mapping, currency: str) -> str:
    """Whether sending earned more than it cost, in a sentence."""
    name = "incremental_profit_minor"
    what = "profit" if row[name] == row[name] else "revenue"
    name = f"incremental_{what}_minor"
    value, (low, high) = row[name], _ends(row, name)
    so_far = "" if row["over"] else "So far "
    least, most = (_exact(end, name, currency) for end in (low, high))
    said = f"{_exact(value, name, currency)} (95 %: {least} to {most})"
    less = ", less its cost" if what == "profit" else "; what it cost is unknown"
    if low != low:
        return (
            f"{so_far}{_exact(value, name, currency)} against those held out{less}. Nobody bought on one "
            "side, so it cannot be said how sure that is."
        )
    sending = f"{so_far}sending" if so_far else "Sending"
    if high < 0.0:
        return f"{sending} it lost money against those held out{less}: {said}."
    if low > 0.0:
        return f"{sending} it brought money against those held out{less}: {said}."
    begin = f"{so_far}it" if so_far else "It"
    return f"{begin} is not known whether sending it brought or lost money{less}: {said}."


def table(row: Mapping, currency: str) -> None:
    """What sending added beside what is attributed to it."""
    rows = []
    for name, attributed in _ROWS:
        low, high = _ends(row, name)
        rows.append(
            {
                "Figure": _LABELS[name],
                "Against those held out": _exact(row[name], name, currency),
                "95 % interval": f"{_exact(low, name, currency)} to {_exact(high, name, currency)}"
                if low == low
                else "–",
                "Attributed": _exact(row[attributed], name, currency, sign=False),
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    sent, held = (theme.percent(row[f"rate_{side}"], 2) for side in ("sent", "held_out"))
    st.caption(
        f"{sent} of {row['people_sent']:,.0f} people sent it converted, {held} of "
        f"{row['people_held_out']:,.0f} held out. Extra: the difference per person × the people sent it; "
        "profit: less the cost. Attributed: last touch within the conversion window, with those who would "
        "have bought anyway; so the two can disagree, in sign too."
    )
    export_button("incrementality", campaign_ids=int(row["campaign_id"]), key="export-incrementality")


def _help(name: str, row: Mapping, currency: str, attributed: str) -> str:
    what = {
        "incremental_conversions": "People who converted because they were sent it: the difference of the "
        "conversion rates (sent − held out) × the people sent it.",
        "incremental_revenue_minor": "Revenue because of it: the difference of the revenue per person × the "
        "people sent it.",
        "incremental_profit_minor": "That revenue less the cost of sending.",
        "incremental_roi": "That profit ÷ the cost.",
    }[name]
    beside = _exact(row[attributed], name, currency, sign=False)
    return literal(
        f"{what} Below zero, sending did harm. Attributed, with those who would have bought anyway: {beside}."
    )


def _ends(row: Mapping, name: str) -> tuple[float, float]:
    stem, minor = name.removesuffix("_minor"), "_minor" if name.endswith("_minor") else ""
    return row[f"{stem}_low{minor}"], row[f"{stem}_high{minor}"]


def _short(value: float, name: str, currency: str) -> str:
    if value != value:
        return "–"
    if name == "incremental_conversions":
        value = float(round(value)) + 0.0  # no -0
    sign = "+" if value > 0 else ""
    if name.endswith("_minor"):
        return sign + literal(theme.compact_money(value, currency))
    return sign + (theme.percent(value, 0) if name == "incremental_roi" else theme.compact(value))


def _exact(value: float, name: str, currency: str, *, sign: bool = True) -> str:
    if value != value:
        return "–"
    if name == "incremental_conversions":
        value = float(round(value)) + 0.0  # no -0
    plus = "+" if sign and value > 0 else ""
    if name.endswith("_minor"):
        return plus + amount(value, currency)
    return plus + (theme.percent(value, 0) if name == "incremental_roi" else f"{value:,.0f}")
