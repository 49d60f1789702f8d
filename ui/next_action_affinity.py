"""What is bought together: the matrix of lifts and the table of all pairs."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.category_affinity import BOUGHT_DAYS, KINDS
from ma.charts import affinity as charts
from ma.types import Actor, Permission
from ui import next_action_kept, tables
from ui.export import export_button
from ui.links import link
from ui.picture import chart

# A matrix of many items keeps its cells readable on a telephone, and is moved sideways there.
_STYLE = """<style>
@media (max-width: 640px) {
.st-key-affinity-map { overflow-x: auto; }
.st-key-affinity-map > div { min-width: 640px; }
}
</style>"""


def draw(actor: Actor, as_of: datetime) -> None:
    """Draw the tab; categories or products, as the address says."""
    by = st.segmented_control(
        "Of",
        list(KINDS),
        format_func=KINDS.get,
        default="category",
        key="items",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    frame = next_action_kept.affinity(by, as_of)
    if frame.empty:
        _nothing(actor, by)
        return
    _matrix(frame, by)
    _table(frame)
    _notes(frame, by, as_of)


def _nothing(actor: Actor, by: str) -> None:
    what = "a category" if by == "category" else "a product"
    st.info(
        f"**Too little to tell what goes together.** It takes orders that name {what} in each line, and at "
        f"least 20 customers to be expected with both of two of them within {BOUGHT_DAYS} days.",
        icon=":material/shopping_basket:",
    )
    if actor.may(Permission.IMPORT):
        link("files", "Import purchases with their lines", icon=":material/upload:")


def _matrix(frame: pd.DataFrame, by: str) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{KINDS[by]} bought by the same customers**, lift: both ÷ expected (1.00: as by chance)"
            )
            st.space("stretch")
            export_button("affinity", **({} if by == "category" else {"by": by}))
        st.html(_STYLE)
        with st.container(key="affinity-map"):
            chart(charts.matrix(frame), key=f"affinity-{by}", file="bought-together")
        shown, all_items = len(charts.shown_items(frame)), _items(frame)
        more = f" The {shown} of {all_items} with the clearest pairs." if shown < all_items else ""
        st.caption(
            "Coloured: beyond chance, more often or less often. Grey: chance alone could make it. Empty: too "
            f"few customers to tell.{more}"
        )


def _items(frame: pd.DataFrame) -> int:
    return len(set(frame["item_a"]) | set(frame["item_b"]))


def _table(frame: pd.DataFrame) -> None:
    clear = int(((frame["low"] > 1.0) | (frame["high"] < 1.0)).sum())
    st.markdown(
        f"**All {len(frame):,} pairs**, those that most surely go together first; {clear:,} differ from "
        "chance"
    )
    st.dataframe(
        frame.assign(between=[f"{row.low:.2f}–{row.high:.2f}" for row in frame.itertuples()])[
            ["item_a", "item_b", "lift", "between", "both", "expected", "customers_a", "customers_b"]
        ],
        hide_index=True,
        height=min(35 * len(frame) + 38, 388),
        column_config={
            "item_a": st.column_config.TextColumn("One", pinned=True),
            "item_b": "The other",
            "lift": st.column_config.NumberColumn("Lift", format="%.2f"),
            "between": st.column_config.TextColumn(
                "Interval", help="All intervals together hold with 95 %: each is as wide as that takes."
            ),
            "both": tables.count("Customers with both"),
            "expected": st.column_config.NumberColumn("Expected", format="%,.1f"),
            "customers_a": tables.count("With the one"),
            "customers_b": tables.count("With the other"),
        },
    )


def _notes(frame: pd.DataFrame, by: str, as_of: datetime) -> None:
    what = "categories" if by == "category" else "products"
    st.caption(
        f"Purchases of the {BOUGHT_DAYS} days up to {as_of:%d %b %Y, %H:%M} UTC, of "
        f"{frame['customers'].iloc[0]:,} customers with at least two purchases of {what}. Expected: of as "
        "many purchases as each of them made, if what is bought one time had nothing to do with what is "
        "bought another. Customers, not baskets: what is bought on different days counts too. It says what "
        "goes together, not what causes what."
    )
