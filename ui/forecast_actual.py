"""One launched campaign: what was forecast at its launch beside what has happened so far."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import calibration
from ma.charts.forecast import FIGURES
from ui.forecast_words import exact
from ui.session import reading

_STATES = {
    "open": "Its window is still open: figures will grow, so nothing is judged yet.",
    "cut short": "Waves were dropped, so it was not sent as it was forecast: nothing is judged.",
    "over": "Its window is over.",
}


def draw(campaign_id: int, as_of: datetime, currency: str) -> None:
    """Draw the table; nothing for a campaign that was launched without a forecast."""
    with reading() as session:
        record = calibration.forecast_record(session, as_of=as_of, campaign_id=campaign_id)
    if record.empty:
        return
    with st.container(border=True):
        st.markdown("**Forecast and what happened**")
        rows = [
            {
                "Figure": FIGURES[row.figure],
                "So far" if row.state == "open" else "Happened": exact(row.figure, row.actual, currency),
                "Forecast": exact(row.figure, row.p50, currency),
                "8 in 10 cases": _band(row, currency),
                "In the range": "–" if pd.isna(row.inside) else "Inside" if row.inside else "Outside",
            }
            for row in record.itertuples(index=False)
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption(f"{_STATES[record['state'].iloc[0]]} The forecast was stored at the launch.")


def _band(row, currency: str) -> str:
    if row.p10 != row.p10:
        return "–"
    return f"{exact(row.figure, row.p10, currency)} to {exact(row.figure, row.p90, currency)}"
