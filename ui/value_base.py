"""The base of customers: what it is expected to bring, from how few, and what a new one may cost."""

import math
from datetime import datetime

import streamlit as st

from ma.analytics.value_what_if import new_customer_value
from ma.charts import theme
from ma.charts import value as charts
from ma.money import digits, symbol, unit
from ma.text import whole_number
from ma.types import Actor, Permission
from ui import value_kept, value_status
from ui.export import export_button
from ui.picture import chart
from ui.session import reading
from ui.tables import amount
from ui.text import literal

_LARGEST_COST = 10**9


def draw(actor: Actor, model: dict, *, currency: str, as_of: datetime) -> None:
    """Draw the tab."""
    if value_status.unfit(model, "What customers will bring"):
        return
    found = value_kept.base(model, currency, as_of)
    if found.overview.empty:
        st.info("**Nobody who was scored is left.** Score the customers again.", icon=":material/info:")
        value_status.fit_button(actor, "Score customers now")
        return
    row = found.overview.iloc[0]
    _cards(row, currency)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        _head("Customers by expected value", "their share (grey) and that of the value", "value_distribution")
        chart(charts.distribution(found.distribution, currency=currency), key="value-distribution")
    with right, st.container(border=True):
        _head("How concentrated it is", "share of the expected value", "value_concentration")
        if found.concentration.empty:
            st.caption("Nobody is expected to bring anything.")
        else:
            chart(charts.concentration(found.concentration, currency=currency), key="value-concentration")
    _acquisition(currency, as_of)
    st.caption(
        value_status.source(
            model,
            "value is revenue over the next 365 days, undiscounted and not profit",
            f"{row.gone_customers:,} customers are gone with 99 % certainty",
        )
    )
    with st.container(horizontal=True):
        export_button("value_overview", label="Export the key figures")
        if actor.may(Permission.EXPORT):
            export_button("customer_scores", label="Export all scores")


def _head(title: str, unit_words: str, frame: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}**, {unit_words}")
        st.space("stretch")
        export_button(frame)


def _cards(row, currency: str) -> None:
    quiet = {"delta_color": "off", "delta_arrow": "off", "height": "stretch"}

    def money(minor: float) -> str:
        return literal(theme.compact_money(minor, currency))

    with st.grid(columns=4, border=True, min_column_width=160):
        sure = not math.isnan(row.value_low_minor)
        st.metric(
            "Value in 12 months",
            money(row.expected_value_minor),
            f"80 %: {money(row.value_low_minor)} to {money(row.value_high_minor)}" if sure else None,
            help=f"Revenue expected of the {row.customers:,} customers who have bought so far, new ones not "
            f"counted: {literal(amount(row.expected_value_minor, currency))} with "
            f"{row.expected_orders:,.0f} orders. The interval holds as far as the model does: see the tab "
            "Model.",
            **quiet,
        )
        st.metric(
            "Expected buyers",
            theme.compact(row.buyers),
            f"80 %: {row.buyers_low:,.0f} to {row.buyers_high:,.0f}",
            help=f"Of {row.customers:,} who have bought so far: the sum of their chances to order at least "
            "once within 12 months. The interval is that of chance alone.",
            **quiet,
        )
        st.metric(
            "From the top 20 %",
            theme.percent(row.top_share, 0),
            "of the expected value",
            help="What the most valuable fifth of the customers is expected to bring, of all.",
            **quiet,
        )
        st.metric(
            "Value at risk",
            money(row.at_risk_minor),
            f"{row.at_risk_customers:,} over 50 % risk",
            help="What customers would bring in addition if all of them still bought: the sum of expected "
            "value × churn risk ÷ (1 − churn risk). Nobody can win back all of it. Left out: whoever is gone "
            "with 99 % certainty, and customers with one purchase, whose churn risk the model cannot tell.",
            **quiet,
        )


def _acquisition(currency: str, as_of: datetime) -> None:
    """What a new customer brings against what it costs to win one, as typed and kept in the address."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**A new customer against the cost to acquire one**, expected by week")
            st.space("stretch")
            export = st.container(width="content")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            cost, margin = _asked(currency)
        with export:
            export_button("new_customer_value", margin_percent=margin)
        with reading() as session:
            frame = new_customer_value(session, as_of=as_of, margin_percent=margin)
        chart(charts.payback(frame, cost_minor=cost, currency=currency), key="value-payback")
        st.caption(_payback_words(frame, cost, margin, currency))


def _payback_words(frame, cost: float | None, margin: int, currency: str) -> str:
    end = frame.iloc[-1]
    brings = (
        f"A new customer is expected to order {end.orders:.1f} times in 52 weeks and to bring "
        f"{literal(amount(end.margin_minor, currency))}"
        + (" of revenue" if margin == 100 else f" of margin ({margin} % of revenue)")
        + ", the first order included, each at the mean order of all customers."
    )
    if cost is None:
        return f"{brings} What it costs to win one is not in the data: type it above to compare."
    ratio = end.margin_minor / cost
    week = charts.payback_week(frame, cost)
    if week is None:
        paid = "it is **not paid back** within 52 weeks"
    else:
        paid = (
            "it is paid back **with the first order**" if week == 0 else f"it is paid back **in week {week}**"
        )
    return f"{brings} That is **{ratio:.1f} times** the cost of {literal(amount(cost, currency))}; {paid}."


def _asked(currency: str) -> tuple[float | None, int]:
    """The cost in minor units (None: not said) and the margin in percent, as the address has them."""
    whole = unit(currency)
    cost = whole_number(st.query_params.get("cost", ""), digits=13)
    if not cost or cost > _LARGEST_COST * whole:
        cost = None
    margin = whole_number(st.query_params.get("margin", "")) or 100
    margin = margin if 1 <= margin <= 100 else 100

    def remember() -> None:
        typed, share = st.session_state.get("value-cost"), st.session_state.get("value-margin")
        _keep("cost", str(round(typed * whole)) if typed else "")
        _keep("margin", str(share) if share and share != 100 else "")

    typed = st.number_input(
        f"Cost to acquire one ({symbol(currency).strip()})",
        min_value=0.0,
        max_value=float(_LARGEST_COST),
        value=cost / whole if cost else None,
        step=1.0,
        format=f"%.{digits(currency)}f",
        placeholder="Type an amount",
        key="value-cost",
        on_change=remember,
        width=200,
        help="What you spend on marketing and sales to win one new customer. It is kept in the address only.",
    )
    share = st.number_input(
        "Margin (% of revenue)",
        min_value=1,
        max_value=100,
        value=margin,
        key="value-margin",
        on_change=remember,
        width=160,
        help="What is left of revenue after the cost of the goods. There is none in the data: 100 % is "
        "revenue.",
    )
    return (round(typed * whole) if typed else None), int(share)


def _keep(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
