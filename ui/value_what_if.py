"""What-if: fewer customers lost or larger orders, and what the base would then bring."""

import math
from datetime import datetime

import streamlit as st

from ma.analytics.value_what_if import MOST_FEWER_LOST, MOST_LARGER_ORDERS
from ma.charts import theme
from ma.charts import value as charts
from ma.charts.value import signed
from ma.text import whole_number
from ui import tables, value_kept, value_status
from ui.export import export_button
from ui.picture import chart
from ui.tables import amount
from ui.text import literal

# Name in the address -> the most that can be asked.
_CHANGES = {"fewer-lost": MOST_FEWER_LOST, "larger-orders": MOST_LARGER_ORDERS}
_USUAL = 10


def draw(model: dict, *, currency: str, as_of: datetime) -> None:
    """Draw the tab."""
    if value_status.unfit(model, "What a change would bring"):
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fewer = _percent(
            "fewer-lost",
            "Fewer customers lost (%)",
            "By so much the chance to be gone after a purchase falls, for each customer, from now on.",
        )
        larger = _percent(
            "larger-orders",
            "Larger orders (%)",
            "By so much the value of each order grows, for each customer.",
        )
    frame = value_kept.what_if(model, fewer, larger, as_of)
    base, both = frame.iloc[0], frame.iloc[-1]
    totals = (model["figures"] or {}).get("totals") or {}
    _cards(base, both, totals, currency)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What each change brings**, expected value in 12 months against as it is")
            st.space("stretch")
            export_button("value_what_if", fewer_lost_percent=fewer, larger_orders_percent=larger)
        if fewer or larger:
            chart(charts.what_if(frame, currency=currency), key="value-what-if")
        else:
            st.caption("Nothing is changed. Type a percentage above.")
        _table(frame, currency)
    st.caption(
        "**This is arithmetic, not a forecast.** It says what a change would be worth, not how it could be "
        "reached nor what that would cost. The same customers and parameters stand on both sides, so the "
        "chance in who buys cancels out of the difference. Fewer lost: each customer's chance p to be gone "
        "after a purchase becomes p × (1 − change) from now on; how often they buy while active, and who is "
        "gone already, stays as it is. Larger orders: every order's value × (1 + change), bought as "
        "often as before."
    )
    st.caption(value_status.source(model, "revenue of present customers over 365 days, new ones not counted"))


def _percent(name: str, label: str, help: str) -> int:
    """A whole percentage, kept in the address."""
    most, key = _CHANGES[name], f"value-{name}"
    asked = whole_number(st.query_params.get(name, ""))
    if asked is None or asked > most:
        asked = _USUAL

    def remember() -> None:
        typed = st.session_state.get(key)
        if typed is None or typed == _USUAL:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(typed)

    typed = st.number_input(
        label,
        min_value=0,
        max_value=most,
        value=asked,
        step=5,
        key=key,
        on_change=remember,
        help=help,
        width=220,
    )
    return _USUAL if typed is None else int(typed)


def _cards(base, both, totals: dict, currency: str) -> None:
    quiet = {"delta_color": "off", "delta_arrow": "off", "height": "stretch"}
    low, high = (totals.get(name) for name in ("low", "high"))
    between = None
    if low is not None and high is not None:
        low, high = (literal(theme.compact_money(end, currency)) for end in (low, high))
        between = f"80 %: {low} to {high}"
    with st.grid(columns=3, border=True, min_column_width=170):
        st.metric(
            "As it is",
            literal(theme.compact_money(base.expected_value_minor, currency)),
            between,
            help=f"{literal(amount(base.expected_value_minor, currency))} expected with "
            f"{base.expected_orders:,.0f} orders.",
            **quiet,
        )
        st.metric(
            "With the changes",
            literal(theme.compact_money(both.expected_value_minor, currency)),
            f"{both.expected_orders:,.0f} orders",
            help=literal(amount(both.expected_value_minor, currency)),
            **quiet,
        )
        share = both.difference_share
        st.metric(
            "Difference",
            literal(signed(both.difference_minor, currency, short=True)),
            None if math.isnan(share) else f"{share * 100:+.1f} %",
            help=literal(signed(both.difference_minor, currency)),
            **quiet,
        )


def _table(frame, currency: str) -> None:
    table = tables.major(frame, ["expected_value_minor", "difference_minor"], currency=currency)
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config={
            "change": st.column_config.TextColumn("Change", pinned=True),
            "expected_orders": st.column_config.NumberColumn("Expected orders", format="%,.0f"),
            "expected_value": tables.money("Expected value", currency),
            "difference": tables.money("Difference", currency),
            "difference_share": tables.rate("Difference, share"),
        },
    )
