"""What a campaign's own test can tell: message against message, sent against held out."""

import pandas as pd
import streamlit as st

from ma.charts import theme
from ma.charts.forecast import FIGURES
from ma.services import sample_sizes
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast
from ui.page import current_actor


@st.fragment
def draw(ground: Basis, forecast: Forecast) -> None:
    """Draw power, the smallest difference that would be found, and how many people it needs."""
    current_actor()
    worth = 10
    if len(forecast.variants) > 1:
        worth = st.slider(
            "A difference between messages worth finding",
            1,
            100,
            10,
            format="%d %% of the rate",
            key="worth-finding",
            width=420,
        )
    frame = sample_sizes.comparisons(forecast, ground.people, worth=worth / 100)
    if not forecast.plan.holdout_share:
        share = theme.percent(sample_sizes.USUAL_HOLDOUT, 0)
        st.caption(
            f":material/info: Nobody is held out, so nobody will know what the campaign added. The last row "
            f"says what a holdout of {share} could tell."
        )
    st.dataframe(pd.DataFrame([_row(row, ground.people) for row in frame.itertuples()]), hide_index=True)
    st.caption(
        "Power: how likely the test (two-sided, at 5 %) finds the difference that the forecast expects. "
        "Would notice: the smallest difference found in 8 of 10 cases; smaller ones are likely to be missed. "
        f"Rates are per person sent, or held out. {ground.people:,} people can be reached now."
    )


def _row(row, people: int) -> dict:
    gap = (row.detectable - row.rate_a) * 100
    needed = "–" if row.needed != row.needed else f"{row.needed:,.0f}"
    if row.needed == row.needed:
        needed += " (enough)" if row.needed <= people else f" (there are {people:,})"
    return {
        "Comparison": row.comparison,
        "By": FIGURES[row.figure].lower(),
        "People": f"{row.people_b:,.0f} against {row.people_a:,.0f}",
        "Expected": f"{theme.percent(row.rate_b, 2)} against {theme.percent(row.rate_a, 2)}",
        "Power": theme.percent(row.power, 0),
        "Would notice": "–" if row.detectable != row.detectable else f"+{gap:.2f} percentage points",
        "Needed people": needed,
    }
