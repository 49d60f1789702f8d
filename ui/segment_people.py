"""A table of people, as the screens of segments show them."""

import streamlit as st

from ui import tables

COLUMNS = ["name", "email", "city", "orders", "spend", "last_order_at", "engagement"]


def table(people, currency: str, columns: list[str], *, may_choose: bool = False) -> list[int]:
    """Draw people; the rows that were chosen among them."""
    choosing = {"on_select": "rerun", "selection_mode": "multi-row", "key": "members"} if may_choose else {}
    drawn = st.dataframe(
        tables.major(people, ["spend_minor"], currency=currency)[columns],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Name", pinned=True),
            "email": "E-mail",
            "city": "City",
            "orders": tables.count("Orders"),
            "spend": tables.money("Spend", currency),
            "last_order_at": tables.moment("Last order"),
            "engagement": st.column_config.NumberColumn("Engagement", format="%.0f"),
            "entered_at": tables.moment("In it since"),
        },
        **choosing,
    )
    return list(drawn.selection.rows) if may_choose else []
