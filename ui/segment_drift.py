"""How a segment's people changed over the last months: drawn when its tab is opened, month by month."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import segment_drift as analytics
from ma.analytics.segment_drift import Plan
from ma.analytics.segments import SegmentInfo
from ma.analytics.stability import FEWEST, SHIFTED, STABLE, reading
from ma.charts import segment_drift as charts
from ma.errors import Exposed
from ma.money import amount
from ma.services.forecasts import data_version
from ui import session
from ui.export import export_button
from ui.page import current_actor
from ui.picture import chart
from ui.text import literal

_MOST = 6
_MONEY = ("spend", "recent_spend")
_UNITS = {"age": "years", "days_since": "days", "recent_orders": "orders", "engagement": "points"}


def draw(segment: SegmentInfo) -> None:
    """Draw the size and the profile of a segment's people at the ends of the last twelve months."""
    current_actor()
    as_of = session.now()
    try:
        plan, frame = _kept(segment, as_of)
    except Exposed as error:
        # As where the rule names a segment that was deleted.
        st.error(literal(error), icon=":material/error:")
        return
    people = frame[frame["measure"] == "people"]
    if not people["value"].sum():
        st.caption("Nobody would have been in it at the end of any of the last twelve months.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Customers at the end of each month**, number")
        st.space("stretch")
        export_button("segment_drift", segment_id=segment.segment_id)
    chart(charts.sizes(frame), key=f"drift-size-{segment.segment_id}", file="segment-size-by-month")
    st.caption(_whom(segment, frame))
    begins = _begins(frame)
    if begins is None:
        st.caption(f"Fewer than {FEWEST} people at the end of each month: too few to speak of drift.")
        return
    st.markdown("**How far their profile moved from its first month**, in standard deviations")
    chart(charts.course(frame), key=f"drift-course-{segment.segment_id}", file="segment-drift")
    _table(frame)
    st.caption(_caveats(plan))


def _kept(segment: SegmentInfo, as_of: datetime) -> tuple[Plan, pd.DataFrame]:
    """What was worked out for this segment already, or now, with the progress of it."""
    with session.reading() as reading_session:
        plan = analytics.plan(reading_session, as_of=as_of, segment_id=segment.segment_id)
        key = (segment.segment_id, plan.moments[-1], data_version(reading_session))
    kept = st.session_state.setdefault("drifts-kept", {})
    if key not in kept:
        found, bar = [], st.progress(0.0, "Looking back …")
        for number, moment in enumerate(plan.moments, start=1):
            with session.reading() as reading_session:
                found.append(analytics.measured(reading_session, plan, moment))
            bar.progress(number / len(plan.moments), f"Looked back at {number} of {len(plan.moments)} months")
        bar.empty()
        while len(kept) >= _MOST:
            kept.pop(next(iter(kept)))
        kept[key] = plan, analytics.drift_of(plan, found)
    return kept[key]


def _begins(frame: pd.DataFrame) -> pd.Timestamp | None:
    """The first month end with which others are compared."""
    compared = frame[(frame["kind"] == "mean") & frame["difference"].notna()]
    return None if compared.empty else compared["month_end"].min()


def _whom(segment: SegmentInfo, frame: pd.DataFrame) -> str:
    if segment.static:
        words = (
            "The line: who is on the list today, by when they were put on it. Whoever was taken off is "
            "not counted"
        )
    else:
        words = (
            "The line: whom today's rule would have chosen, from what people had done by then and who had "
            "joined. Changes of the rule are not in it"
        )
    if frame.loc[frame["measure"] == "recorded", "value"].notna().any():
        words += "; the diamonds: the size at the last refresh before"
    return f"{words}. Customers deleted since are left out of the line."


def _table(frame: pd.DataFrame) -> None:
    rows = []
    currency = session.workspace().currency
    named = frame[frame["kind"].isin(["mean", "spread"]) | frame["measure"].str.startswith("country ")]
    for measure, mine in named.groupby("measure", sort=False):
        known = mine[mine["difference"].notna() | mine["psi"].notna()]
        if known.empty or mine["n"].iloc[-1] == 0:
            continue
        # Where all are from one country there is nothing to compare.
        if measure == "country" and known["psi_by_chance"].iloc[-1] == 0:
            continue
        first, last = known.iloc[0], known.iloc[-1]
        rows.append(
            {
                "label": last["label"],
                "since": f"{first['month_end']:%b %Y}",
                "before": _shown(measure, first["kind"], first["value"], currency),
                "after": _shown(measure, last["kind"], last["value"], currency),
                "difference": last["difference"],
                "psi": last["psi"],
                "chance": last["psi_by_chance"],
                "reading": reading(last["psi"]),
                "n": last["n"],
            }
        )
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        column_config={
            "label": st.column_config.TextColumn("Figure", pinned=True),
            "since": "First month",
            "before": "Then",
            "after": "Last month",
            "difference": number("Difference", format="%+.2f", help="In standard deviations of both months"),
            "psi": number("Stability index", format="%.3f", help="Of the bands of the figure"),
            "chance": number("By chance", format="%.3f", help="What chance alone makes of it on average"),
            "reading": "Usually read as",
            "n": number("People", format="%,d", help="Of whom it is known, last month"),
        },
    )


def _shown(measure: str, kind: str, value: float, currency: str) -> str:
    if value != value:
        return "–"
    if kind == "share":
        return f"{value * 100:.1f} %"
    if measure in _MONEY:
        return amount(round(value), currency)
    return f"{value:,.1f} {_UNITS.get(measure, '')}".strip()


def _caveats(plan: Plan) -> str:
    words = [
        "A difference of 0.2 is called small, 0.5 medium, 0.8 large. The population stability index compares "
        f"shares of bands: below {STABLE} it is usually read as stable, from {SHIFTED} "
        "on as shifted. It says that people are others or behave otherwise, not that this matters; in small "
        "segments chance alone makes it large."
    ]
    if plan.present:
        listed = ", ".join(literal(label) for label in plan.present)
        words.append(f"The rule uses what is known for today only, at every month end: {listed}.")
    if plan.data_from is not None and plan.data_from > plan.moments[0] - analytics.WINDOW:
        words.append(
            f"Orders in the data begin on {plan.data_from:%d %b %Y}: figures to date grow from there on, "
            "and figures of 90 days are unknown before they fit in."
        )
    words.append("Ages are of each month; countries are today's.")
    return " ".join(words)
