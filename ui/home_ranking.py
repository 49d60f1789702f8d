"""The best and the worst campaigns, with how sure that is."""

from datetime import date

import pandas as pd
import streamlit as st

from ma.analytics import best_worst
from ma.charts import home as charts
from ma.settings import ROOT
from ui import picture
from ui.export import export_button
from ui.page import current_actor

_EACH = 3
_KEY = "best-worst"
# What stands in the address.
_MEASURES = {"profit": "profit_minor", "per_recipient": "revenue_per_recipient_minor"}
_HOW = {
    "profit_minor": "Attributed revenue − cost",
    "revenue_per_recipient_minor": "Attributed revenue ÷ people sent",
}


def draw(mature: pd.DataFrame, launched: int, start: date, end: date, currency: str) -> None:
    """Draw the ranking of a best_worst.mature frame; `launched`: how many were launched in [start, end)."""
    with st.container(horizontal=True, vertical_alignment="center"):
        title = st.container()
        if len(mature):
            button = st.container(width="content")
    if mature.empty:
        title.markdown("**Best and worst campaigns**")
        st.caption(
            f"None of the {launched:,} campaigns launched in this period is past its conversion window: "
            "their figures still grow. A longer period has older ones."
            if launched
            else "No campaign was launched in this period."
        )
        return
    measure = _measure(mature)
    title.markdown(f"**Best and worst campaigns by {best_worst.MEASURES[measure].lower()}**")
    with button:
        export_button("best_worst", key="export-best-worst", measure=measure, start=start, end=end)
    frame = best_worst.ranked(mature, measure)
    if frame.empty:
        st.caption("It is not known of any campaign of this period: costs or conversions are missing.")
        return
    best = frame.sort_values("best").head(_EACH)
    worst = frame[~frame["campaign_id"].isin(best["campaign_id"])].sort_values("worst").head(_EACH)
    worst = worst.sort_values("worst", ascending=False)
    picture.chart(
        charts.best_worst(best, worst, currency=currency),
        key=_KEY,
        on_select=_open,
        selection_mode="points",
    )
    st.caption(_words(frame, best, worst, launched, measure))


def _measure(mature: pd.DataFrame) -> str:
    # Where most costs are unknown, profit would compare the few others.
    costs = mature["cost_minor"].notna().mean()
    chosen = st.segmented_control(
        "Rank by",
        list(_MEASURES),
        format_func=lambda name: best_worst.MEASURES[_MEASURES[name]],
        default="profit" if costs >= 0.5 else "per_recipient",
        key="rank_by",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return _MEASURES[chosen or "profit"]


def _words(frame, best, worst, launched: int, measure: str) -> str:
    said = f"Among {len(frame):,} of the {launched:,} campaigns launched in the period"
    if launched > len(frame):
        said += "; the others are inside their conversion window, or it is not known of them"
    if len(worst) and best["low"].max() <= worst["high"].min():
        said += ". **All intervals overlap: which is better cannot be told**"
    return (
        f"{said}. {_HOW[measure]}, with its 95 % interval. Best: the highest lower end; worst: the lowest "
        "upper end, so that no small campaign leads by luck. Click one for its results."
    )


def _open() -> None:
    current_actor()
    points = st.session_state[_KEY].selection.points
    if points:
        chosen = points[0].get("customdata") or {}
        # The browser sends a list's places as names.
        campaign_id = chosen.get("0") if isinstance(chosen, dict) else chosen[0]
        if campaign_id is not None:
            page = str(ROOT / "pages" / "results.py")
            st.switch_page(page, query_params={"campaigns": str(int(campaign_id))})
