"""A customer's value card: what they are expected to bring, how sure that is, and what would change it."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.customer_scores import score_of
from ma.analytics.customer_value import SILENT_DAYS, customer_value
from ma.analytics.value_models import value_model
from ma.analytics.workspace import WorkspaceInfo
from ma.charts import theme
from ma.clock import local_day
from ui import tables
from ui.customer_facts import shown_day
from ui.export import export_button
from ui.links import link
from ui.session import reading
from ui.text import literal

_CASES = {
    "now": "As it is",
    "order_today": "They had ordered that day",
    "silent": f"No order for {SILENT_DAYS} more days",
}


def show(customer_id: int, as_of: datetime, place: WorkspaceInfo) -> None:
    """Draw the card."""
    with reading() as session:
        model, score = value_model(session), score_of(session, customer_id)
        cases = customer_value(session, as_of=as_of, customer_id=customer_id) if score else pd.DataFrame()
    with st.container(border=True, key="customer-value"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Expected value** :gray[revenue in the next 12 months]")
            st.space("stretch")
            if len(cases):
                export_button("customer_value", customer_id=customer_id)
        if score is None:
            _not_scored(model)
            return
        if score["rfm_segment"] is None:
            st.caption("They have not bought yet. What they will bring can be said after the first order.")
            return
        if not len(cases):
            _segment(score)
            _words(model["problems"], "No value is predicted.")
            return
        if model["status"] == "uncertain":
            st.warning(
                f"**These figures are uncertain.** {' '.join(literal(one) for one in model['problems'])}",
                icon=":material/warning:",
            )
        now = cases.iloc[0]
        _figures(now, place.currency)
        _segment(score)
        _changes(cases, place.currency)
        _source(model, score, place)


def _not_scored(model: dict | None) -> None:
    if model is None:
        st.caption("Customers have not been scored yet. It happens once a day by itself.")
    else:
        st.caption("They came after the last scoring. The next one, within a day, has them.")
    link("value", "Customer value", icon=":material/savings:")


def _words(problems: list[str], first: str) -> None:
    st.caption(f"{first} {' '.join(literal(one) for one in problems)}")


def _figures(now: pd.Series, currency: str) -> None:
    quiet = {"delta_color": "off", "delta_arrow": "off", "height": "stretch"}

    def money(minor: float) -> str:
        return literal(theme.compact_money(minor, currency))

    with st.grid(columns=3, min_column_width=130):
        st.metric(
            "Expected value",
            money(now.expected_value_minor),
            f"80 %: {money(now.value_low_minor)} to {money(now.value_high_minor)}",
            help=f"{now.expected_orders:.1f} orders of "
            f"{literal(tables.amount(now.expected_order_minor, currency))} each. In 8 of 10 cases it lies "
            "between the two.",
            **quiet,
        )
        st.metric(
            "Expected orders",
            f"{now.expected_orders:.1f}",
            f"80 %: {now.orders_low:.0f} to {now.orders_high:.0f}",
            help=f"Days with an order. The chance of at least one is {theme.percent(now.order_chance, 0)}.",
            **quiet,
        )
        once = now.repeat_orders == 0
        st.metric(
            "Still buying",
            "–" if once else theme.percent(now.alive),
            f"churn risk {'–' if once else theme.percent(now.churn_risk)}",
            help="The chance that they still are a customer, from how often they bought and how long ago the "
            "last time was." + (" After one order only, the model cannot tell." if once else ""),
            **quiet,
        )


def _segment(score: dict) -> None:
    st.markdown(
        f"**{literal(score['rfm_segment'])}** :gray[recency {score['recency_score']}, frequency "
        f"{score['frequency_score']}, amount {score['monetary_score']} of 5]"
    )


def _changes(cases: pd.DataFrame, currency: str) -> None:
    st.markdown("**What would change it**")
    table = tables.major(
        cases.assign(case=[_CASES[name] for name in cases["case"]]),
        ["expected_value_minor", "value_low_minor", "value_high_minor"],
        currency=currency,
    )
    if (cases["repeat_orders"] == 0).any():
        table.loc[(cases["repeat_orders"] == 0).to_numpy(), "alive"] = float("nan")
    st.dataframe(
        table[["case", "alive", "expected_orders", "expected_value", "value_low", "value_high"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "case": st.column_config.TextColumn("If", pinned=True),
            "alive": tables.rate("Still buying"),
            "expected_orders": st.column_config.NumberColumn("Orders", format="%.1f"),
            "expected_value": tables.money("Value", currency),
            "value_low": tables.money("80 % from", currency),
            "value_high": tables.money("to", currency),
        },
    )


def _source(model: dict, score: dict, place: WorkspaceInfo) -> None:
    scored = shown_day(local_day(score["scored_at"], place.timezone))
    st.caption(
        f"As of {scored}, model {model['id']}. Each line counts the 12 months after it; an order is a day "
        "with "
        "a purchase. Expected of people with this history, not known of this one."
    )
