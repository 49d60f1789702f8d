"""Cohorts on the screen: key figures, heat map, average course, table, and a segment of one of them."""

from datetime import date, datetime

import pandas as pd
import streamlit as st

from ma.analytics import cohorts as analytics
from ma.charts import cohorts as charts
from ma.charts.theme import percent
from ma.settings import ROOT
from ma.types import Actor, Permission
from ui import kpi, rule_tree, tables
from ui.cohort_choice import MEASURES, Choice
from ui.export import export_button
from ui.page import current_actor
from ui.picture import chart

_CARDS, _COLUMNS = (1, 3, 6), (1, 3, 6, 12)
# A heat map of many months keeps its cells readable on a telephone, and is moved sideways there.
_STYLE = """<style>
@media (max-width: 640px) {
.st-key-cohort-map { overflow-x: auto; }
.st-key-cohort-map > div { min-width: 680px; }
}
</style>"""


def draw(actor: Actor, everything: pd.DataFrame, choice: Choice, *, currency: str, as_of: datetime) -> None:
    """Draw the cohorts of a choice; `everything` are all rows, at least one."""
    frame = analytics.recent(everything, choice.newest)
    if frame.empty:
        st.info(
            "**Nobody bought for the first time in these months.** Choose a longer period.",
            icon=":material/calendar_month:",
        )
        return
    curve = analytics.curve_of(frame)
    _cards(frame, curve, currency)
    _heat_map(frame, choice, currency)
    _curve(curve, choice)
    _table(actor, frame, choice, currency)
    _notes(everything, frame, choice, as_of)


def _cards(frame: pd.DataFrame, curve: pd.DataFrame, currency: str) -> None:
    known = curve.set_index("month_number")
    first = frame[frame["month_number"] == 0]
    with st.grid(columns=4, border=True, min_column_width=150):
        kpi.card(
            "First purchases",
            float(first["cohort_customers"].sum()),
            "people",
            currency=currency,
            # A month that is not over would look like a fall.
            spark=first.loc[first["complete"].astype(bool), "cohort_customers"].tolist(),
            help="Customers whose first purchase lies in these months.",
        )
        for number in _CARDS:
            label = f"Back in month {number}"
            if number not in known.index:
                st.metric(label, "–", help="No cohort has this month behind it yet.", height="stretch")
                continue
            row = known.loc[number]
            st.metric(
                label,
                percent(row["retention"]),
                f"{row['low'] * 100:.1f}–{row['high'] * 100:.1f} %",
                delta_color="off",
                delta_arrow="off",
                delta_description="(95 %)",
                help=f"{row['customers']:,.0f} of {row['cohort_customers']:,.0f} customers of the "
                f"{row['cohorts']:.0f} cohorts that have this month behind them bought again {number} months "
                "after the first purchase.",
                height="stretch",
            )


def _heat_map(frame: pd.DataFrame, choice: Choice, currency: str) -> None:
    label = next(words for column, words in MEASURES.values() if column == choice.measure)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            unit = charts.unit_words(choice.measure, currency).replace("$", r"\$")
            st.markdown(f"**{label} by month of the first purchase**, {unit}")
            st.space("stretch")
            export_button("cohorts", **choice.params)
        st.html(_STYLE)
        with st.container(key="cohort-map"):
            chart(charts.heat_map(frame, measure=choice.measure, currency=currency), key="cohorts")
        first = "Month 0 is left out: it is 100 % by definition. " if choice.measure == "retention" else ""
        st.caption(
            f"{first}Beside each month: its customers. Hatched: this month is not over. Empty: still to come."
        )


def _curve(curve: pd.DataFrame, choice: Choice) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                "**Average retention**, share of customers who bought in that month, with 95 % interval"
            )
            st.space("stretch")
            export_button("retention_curve", **choice.params)
        if curve.empty:
            st.caption("No cohort has a whole month after its first one behind it yet.")
            return
        chart(charts.curve(curve), key="retention-curve")
        last = curve.iloc[-1]
        st.caption(
            "Cohorts that have the month behind them, each by its number of customers (Wilson's interval). "
            f"Later months stand on fewer cohorts: month {last.month_number:.0f} on {last.cohorts:.0f} "
            f"({last.cohort_customers:,.0f} customers). A line that rises may only say who is left in it."
        )


def _table(actor: Actor, frame: pd.DataFrame, choice: Choice, currency: str) -> None:
    table = tables.major(
        analytics.summary_of(frame, months=_COLUMNS),
        ["revenue_minor", "revenue_per_customer_minor"],
        currency=currency,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Cohorts**, newest first: what each brought so far, and who bought in later months")
        st.space("stretch")
        export_button("cohort_summary", **choice.params)
    names = [_month(row.cohort, row.complete) for row in table.itertuples()]
    columns = ["cohort", "cohort_customers", "orders", "revenue", "revenue_per_customer"]
    st.dataframe(
        table.assign(cohort=names)[[*columns, *(f"retention_{n}" for n in _COLUMNS)]],
        hide_index=True,
        placeholder="–",
        height=min(35 * len(table) + 38, 528),
        column_config={
            "cohort": st.column_config.TextColumn("First purchase", pinned=True),
            "cohort_customers": tables.count("Customers"),
            "orders": tables.count("Orders so far"),
            "revenue": tables.money("Revenue so far", currency),
            "revenue_per_customer": tables.money("Per customer", currency),
            **{f"retention_{n}": tables.rate(f"Month {n}") for n in _COLUMNS},
        },
    )
    if actor.may(Permission.EDIT_SEGMENTS):
        _segment(table["cohort"].tolist(), choice)


def _month(cohort: datetime, whole: bool) -> str:
    return f"{cohort:%b %Y}" + ("" if whole else " (so far)")


def _segment(cohorts: list, choice: Choice) -> None:
    """The people of one cohort as the rule of a new segment."""
    months = {f"{cohort:%Y-%m}": cohort for cohort in cohorts}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked = st.query_params.get("cohort")
        chosen = st.selectbox(
            "Cohort",
            list(months),
            index=list(months).index(asked) if asked in months else 0,
            format_func=lambda one: f"{months[one]:%B %Y}" if one in months else "",
            key="cohort-chosen",
            width=220,
        )
        if st.button("Make a segment of them", icon=":material/filter_alt:", key="cohort-segment-new"):
            _open_editor(months[chosen].date(), choice)
    if chosen == next(iter(months)):
        st.query_params.pop("cohort", None)
    else:
        st.query_params["cohort"] = chosen


def _open_editor(cohort: date, choice: Choice) -> None:
    current_actor()
    rule = analytics.cohort_rule(cohort, field=choice.field, value=choice.value, segment_id=choice.segment_id)
    rule_tree.open_with("new ", rule, anew=True)
    st.switch_page(str(ROOT / "pages" / "segments.py"), query_params={"id": "new"})


def _notes(everything: pd.DataFrame, frame: pd.DataFrame, choice: Choice, as_of: datetime) -> None:
    words = [
        f"As of {as_of:%d %b %Y, %H:%M} UTC",
        "calendar months of the workspace's time zone",
        "orders of customers who are not deleted",
        "revenue is purchases less refunds, whether or not a campaign caused them",
    ]
    if choice.field:
        words.append("the filter is by what the profile says today")
    if choice.segment_id is not None:
        words.append("members at the segment's last refresh: one chosen by what people bought keeps its own")
    first = everything["cohort"].min()
    if (frame["cohort"] == first).any():
        words.append(f"{first:%B %Y} is where the data begin: who bought before that looks new in it")
    st.caption(" · ".join(words) + ".")
