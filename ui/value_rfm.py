"""RFM: the grid of recency and frequency scores, the named segments, and a new segment of either."""

import json
from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.catalogue import catalogue
from ma.analytics.value_overview import cell_rule, segment_rule
from ma.charts import theme
from ma.charts import value as charts
from ma.rules.check import parse
from ma.rules.to_english import english
from ma.services.segments import create_segment, refresh_segment
from ma.settings import ROOT
from ma.text import whole_number
from ma.types import Actor, Permission
from ui import tables, value_kept, value_status
from ui.errors import shown
from ui.export import export_button
from ui.links import link
from ui.page import current_actor
from ui.picture import chart
from ui.session import now, reading, writing
from ui.text import literal

MEASURES = {
    "customers": ("customers", "Customers"),
    "value": ("expected_value_minor", "Expected value"),
    "each": ("value_per_customer_minor", "Value per customer"),
    "risk": ("churn_risk", "Churn risk"),
}
_ROUND, _NOBODY = "rfm-round", ""
# The grid keeps its cells readable on a telephone, and is moved sideways there.
_STYLE = """<style>
@media (max-width: 640px) {
.st-key-rfm-grid { overflow-x: auto; }
.st-key-rfm-grid > div { min-width: 460px; }
}
</style>"""


def draw(actor: Actor, model: dict, *, currency: str, as_of: datetime) -> None:
    """Draw the tab."""
    grid, segments = value_kept.rfm(model, as_of)
    if not grid["customers"].sum():
        st.info(
            "**Nobody has bought yet**, so nobody has a score. It fills with the orders you import.",
            icon=":material/grid_view:",
        )
        return
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True):
        _grid(grid, model, currency)
    with right, st.container(border=True, key="rfm-chosen"):
        _chosen(actor, grid, segments, currency)
    _table(segments, currency)
    st.caption(
        value_status.source(
            model,
            "scores are fifths of all customers who bought: recency by the day of the last order, frequency "
            "by the number of orders, amount by what they spent, refunds taken off",
            "the churn risk of customers with one purchase is 0, since the model cannot tell it",
        )
    )


def _grid(grid: pd.DataFrame, model: dict, currency: str) -> None:
    measure = _measure() if model["status"] != "unfit" else "customers"
    words = charts.MEASURES[measure]
    if model["status"] != "unfit":
        words += " and value of each" if measure == "customers" else " and customers"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Recency and frequency**, {words}")
        st.space("stretch")
        export_button("rfm_grid")
    picked = _picked()
    key = f"rfm-cells-{st.session_state.get(_ROUND, 0)}"
    st.html(_STYLE)
    with st.container(key="rfm-grid"):
        chart(
            charts.rfm_grid(
                grid,
                measure=measure,
                currency=currency,
                chosen=picked if isinstance(picked, tuple) else None,
            ),
            key=key,
            on_select=lambda: _click(key),
            selection_mode="points",
        )
    st.caption("Darker is more. Click a cell to see who is in it and to make a segment of them.")


def _measure() -> str:
    """What the colour shows, as chosen: a column of the grid."""
    known = {name: words for name, (_, words) in MEASURES.items()}
    chosen = st.segmented_control(
        "Colour",
        list(known),
        default="customers",
        format_func=known.get,
        required=True,
        key="rfm-colour",
        bind="query-params",
        label_visibility="collapsed",
    )
    return MEASURES.get(chosen, MEASURES["customers"])[0]


def _picked() -> tuple[int, int] | str:
    """What the address asks for: a cell as (recency, frequency), or the name of a segment, "" for neither."""
    asked = st.query_params.get("who", "")
    first, dash, second = asked.partition("-")
    scores = whole_number(first), whole_number(second)
    if dash and all(score in range(1, 6) for score in scores):
        return scores
    return asked


def _click(key: str) -> None:
    """A click on a cell chooses it, a second one takes it back."""
    current_actor()
    points = st.session_state[key].selection.points
    data = points[0].get("customdata") if points else None
    data = list(data.values()) if isinstance(data, dict) else data
    if not data:
        return
    wanted = f"{int(data[0])}-{int(data[1])}"
    _choose("" if st.query_params.get("who") == wanted else wanted)


def _choose(who: str) -> None:
    if who:
        st.query_params["who"] = who
    else:
        st.query_params.pop("who", None)
    # Another key for the chart and the box: no old choice stays in them.
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _chosen(actor: Actor, grid: pd.DataFrame, segments: pd.DataFrame, currency: str) -> None:
    """Who is chosen, by a cell or by name, and the way to a segment of them."""
    names = segments["rfm_segment"].tolist()
    picked = _picked()
    is_name = isinstance(picked, str) and picked in names
    if isinstance(picked, str) and picked and not is_name:
        st.caption("The segment in the address is not there. Choose another one.")
    key = f"rfm-name-{st.session_state.get(_ROUND, 0)}"
    st.selectbox(
        "Named segment",
        [_NOBODY, *names],
        index=names.index(picked) + 1 if is_name else 0,
        format_func=lambda name: name or "Choose one, or click a cell",
        key=key,
        on_change=lambda: _choose(st.session_state[key]),
    )
    if isinstance(picked, tuple):
        recency, frequency = picked
        row = grid[(grid["recency_score"] == recency) & (grid["frequency_score"] == frequency)].iloc[0]
        title, meaning = f"Recency {recency}, frequency {frequency}", ""
        rule = cell_rule(recency, frequency)
    elif is_name:
        row = segments[segments["rfm_segment"] == picked].iloc[0]
        title, meaning, rule = picked, row.meaning, segment_rule(picked)
    else:
        largest = segments.sort_values("expected_value_minor", ascending=False).iloc[0]
        if largest.expected_value_minor > 0:
            st.markdown(
                f"**{literal(largest.rfm_segment)}** are {theme.percent(largest.share_of_customers, 0)} of "
                f"the customers and {theme.percent(largest.share_of_value, 0)} of the expected value."
            )
        st.caption(
            "Choose whom to look at: what they spent, what is expected of them, and a segment of them."
        )
        return
    st.markdown(f"**{literal(title)}** :gray[{int(row.customers):,} customers]")
    if meaning:
        st.caption(literal(meaning))
    _facts(row, currency)
    _segment(actor, title, rule, int(row.customers), currency)


def _facts(row: pd.Series, currency: str) -> None:
    with st.grid(columns=2, min_column_width=120):
        for label, value in (
            ("Share of customers", theme.percent(row.share_of_customers)),
            ("Spent to date", literal(theme.compact_money(row.spend_minor, currency))),
            ("Expected in 12 months", literal(theme.compact_money(row.expected_value_minor, currency))),
            ("Mean churn risk", theme.percent(row.churn_risk)),
        ):
            st.metric(label, value)


def _segment(actor: Actor, title: str, rule: dict, there: int, currency: str) -> None:
    if there:
        narrowed = json.dumps(rule, ensure_ascii=False, separators=(",", ":"))
        link("customers", "See these customers", icon=":material/group:", rule=narrowed)
    if not actor.may(Permission.EDIT_SEGMENTS):
        return
    with reading() as session:
        known = catalogue(session)
    st.text(english(parse(rule, known), currency=currency, catalogue=known))
    name = st.text_input("Name of the new segment", value=title, max_chars=100, key=f"rfm-segment-{title}")
    if st.button("Save as segment", type="primary", icon=":material/save:", key="rfm-save"):
        _create(name.strip() or title, rule)


def _create(name: str, rule: dict) -> None:
    with shown() as attempt, writing() as session:
        actor, at = current_actor(), now()
        segment_id = create_segment(session, actor, name=name, rule=rule, at=at)
        size = refresh_segment(session, actor, segment_id, at=at).size
    if attempt.ok:
        st.toast(f"Saved. {size:,} customers.", icon=":material/check:")
        st.switch_page(str(ROOT / "pages" / "segments.py"), query_params={"id": str(segment_id)})


def _table(segments: pd.DataFrame, currency: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Named segments**, each with the scores that make it")
        st.space("stretch")
        export_button("rfm_segments")
    money = ["spend_minor", "expected_value_minor", "value_per_customer_minor"]
    table = tables.major(segments, money, currency=currency)
    st.dataframe(
        table[
            [
                "rfm_segment",
                "recency_scores",
                "other_scores",
                "customers", "share_of_customers", "spend", "expected_value", "share_of_value",
                "value_per_customer", "churn_risk",
                "meaning",
            ]
        ],
        hide_index=True,
        placeholder="–",
        height=35 * len(table) + 38,
        column_config={
            "rfm_segment": st.column_config.TextColumn("Segment", pinned=True),
            "recency_scores": st.column_config.TextColumn("Recency", help="Which recency scores, 1 to 5"),
            "other_scores": st.column_config.TextColumn(
                "Others", help="The mean of frequency and amount score, rounded half up"
            ),
            "customers": tables.count("Customers"),
            "share_of_customers": tables.rate("Share"),
            "spend": tables.money("Spent to date", currency),
            "expected_value": tables.money("Expected, 12 months", currency),
            "share_of_value": tables.rate("Share of value"),
            "value_per_customer": tables.money("Per customer", currency),
            "churn_risk": tables.rate("Mean churn risk"),
            "meaning": st.column_config.TextColumn("Meaning", width="large"),
        },
    )  # fmt: skip
