"""Past forecasts against what happened: how often the 80 % interval held."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import calibration
from ma.charts import forecast_record as charts
from ma.charts import theme
from ma.charts.forecast import FIGURES
from ui import forecast_kept, picture
from ui.export import export_button
from ui.forecast_words import exact
from ui.page import current_actor
from ui.session import workspace

# Campaigns in the picture; the table and the export have all.
_MOST = 14
_SOURCES = {"imported": "real", "simulated": "simulated"}


def draw(as_of: datetime) -> None:
    """Draw the record over all launched campaigns; nothing where no launch was ever forecast."""
    record = forecast_kept.record(as_of)
    if record.empty:
        st.subheader("How good past forecasts were", anchor=False)
        st.caption(
            "No launched campaign has a forecast yet. Every launch stores what was forecast; when its "
            "conversion window is over, this shows whether it came out that way."
        )
        return
    _draw(record, as_of)


@st.fragment
def _draw(record: pd.DataFrame, as_of: datetime) -> None:
    current_actor()
    covered = calibration.of_record(record)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("How good past forecasts were", anchor=False, width="content")
        st.space("stretch")
        export_button("forecast_record", key="export-record")
    waiting = record.loc[record["state"] == "open", "campaign_id"].nunique()
    cut = record.loc[record["state"] == "cut short", "campaign_id"].nunique()
    st.markdown(_in_words(covered))
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        figures = [name for name in calibration.JUDGED if (record["figure"] == name).any()]
        figure = st.segmented_control(
            "Figure",
            figures,
            format_func=lambda name: FIGURES[name],
            default="converted" if "converted" in figures else figures[0],
            required=True,
            key="record-figure",
            label_visibility="collapsed",
        )
        mine = record[record["figure"] == figure]
        picture.chart(charts.against(mine.head(_MOST), currency=workspace().currency), key="record-against")
        st.caption(
            "100 % is the middle case of the forecast, the bar 8 in 10 cases. Dot: it came out inside; "
            "cross: outside; ring: still open."
            + (f" The latest {_MOST} of {len(mine)}." if len(mine) > _MOST else "")
        )
    with right, st.container(border=True, height="stretch"):
        if covered.empty:
            st.markdown("**How often 8 in 10 held**")
            st.caption("No conversion window is over yet.")
        for source, part in covered.groupby("source", sort=False):
            if not part["enough"].any():
                st.markdown(f"**How often 8 in 10 held**, {_SOURCES.get(source, source)} results")
                st.caption(f"It takes at least {calibration.FEWEST} campaigns to tell.")
                continue
            st.markdown(f"**How often 8 in 10 held**, {_SOURCES.get(source, source)} results, by figure")
            picture.chart(
                charts.coverage(part, promised=calibration.PROMISED),
                key=f"record-coverage-{source}",
            )
        st.caption("Dot: the share of campaigns; whisker: its 95 % interval; dotted line: what is promised.")
    _table(record)
    st.caption(
        f"As of {as_of:%d %b %Y, %H:%M} UTC · {waiting} campaigns still inside their window are not judged"
        + (f", nor {cut} whose last waves were dropped" if cut else "")
        + " · forecasts are stored at the launch and never changed"
    )


def _in_words(covered: pd.DataFrame) -> str:
    said = []
    for row in covered[covered["figure"] == calibration.ALL].itertuples():
        kind = _SOURCES.get(row.source, row.source)
        campaigns = "1 campaign" if row.campaigns == 1 else f"{row.campaigns} campaigns"
        if not row.enough:
            said.append(
                f"Too few {kind} results to tell: {campaigns} over so far, and it takes at least "
                f"{calibration.FEWEST}."
            )
            continue
        verdict = (
            "that fits the promise of 80 %"
            if row.low <= calibration.PROMISED <= row.high
            else "**fewer than promised**: the forecasts are too sure of themselves"
            if row.inside < calibration.PROMISED
            else "more than promised: the forecasts are too cautious"
        )
        said.append(
            f"Over {campaigns} with {kind} results, **{theme.percent(row.inside, 0)}** of the figures lay in "
            f"their range ({theme.percent(row.low, 0)} to {theme.percent(row.high, 0)}); {verdict}."
        )
    return " ".join(said) or "No campaign with a forecast is over yet."


def _table(record: pd.DataFrame) -> None:
    currency = workspace().currency
    words = {True: "Inside", False: "Outside"}
    states = {"open": "Still open", "cut short": "Cut short", "over": "Not judged"}
    rows = [
        {
            "Campaign": row.name,
            "Figure": FIGURES[row.figure],
            "1 in 10 below": exact(row.figure, row.p10, currency),
            "Middle case": exact(row.figure, row.p50, currency),
            "1 in 10 above": exact(row.figure, row.p90, currency),
            "Happened": exact(row.figure, row.actual, currency),
            "In the range": states[row.state] if pd.isna(row.inside) else words[bool(row.inside)],
        }
        for row in record.itertuples(index=False)
    ]
    with st.expander("Every forecast and what happened", icon=":material/table:"):
        st.dataframe(pd.DataFrame(rows), hide_index=True)
