"""What a forecast assumes: which assumption matters most, and where every one comes from."""

import pandas as pd
import streamlit as st

from ma.charts import forecast as charts
from ma.charts import theme
from ma.services import forecasts
from ma.services.forecasts import Basis
from ma.types import ORDER_VALUE, ORGANIC
from ui import picture
from ui.forecast_words import source
from ui.text import literal

# Of what an assumption is a part: a step's is of those who took the step before.
_OF = {
    "sent": "of those sent to",
    "delivered": "of those it reached",
    "opened": "of those who opened",
    "clicked": "of those who clicked",
    ORDER_VALUE: "of their own average",
    ORGANIC: "of their usual orders",
}


def draw(ground: Basis, swings: tuple[pd.DataFrame, dict[str, float]], currency: str) -> None:
    """Draw the tornado and the sources beside each other."""
    frame, middle = swings
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        known = middle["profit_minor"] == middle["profit_minor"]
        what = "Profit" if known else "Revenue"
        st.markdown("**Which assumption matters most**")
        if frame["span_minor"].max() > 0:
            picture.chart(
                charts.tornado(
                    frame,
                    middle=middle["profit_minor" if known else "revenue_minor"],
                    currency=currency,
                    known=known,
                ),
                key="forecast-tornado",
            )
        st.caption(
            f"{what} when one assumption alone is low or high (8 in 10 campaigns lie between), from the line "
            "where all are in the middle."
        )
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Where every assumption comes from**")
        st.markdown(_lines(ground))
        st.caption(_about(ground))


def _lines(ground: Basis) -> str:
    # Not a data frame: on a telephone its last column, which matters, would be out of sight.
    lines = [
        f"**{charts.ASSUMPTIONS[row.assumption]}** {_level(row.assumption, row.typical)} "
        f"{_of(ground, row.assumption)} :gray[({_level(row.assumption, row.low)} to "
        f"{_level(row.assumption, row.high)})]  \n:small[:gray[{literal(source(row))}]]"
        for row in forecasts.assumptions(ground.beliefs).itertuples()
    ]
    return "\n\n".join(lines)


def _of(ground: Basis, name: str) -> str:
    step = ground.beliefs.params.steps.get(name)
    return _OF[step.after if step else name]


def _level(name: str, value: float) -> str:
    digits = 0 if name == ORDER_VALUE else 1 if value >= 0.01 else 2
    return theme.percent(value, digits).replace(" ", "\N{NO-BREAK SPACE}")


def _about(ground: Basis) -> str:
    sources = set(forecasts.assumptions(ground.beliefs)["source"])
    words = "For a typical audience; people differ by engagement, last order and messages lately. "
    if "simulated history" in sources:
        words += (
            "Simulated campaigns only repeat what the simulator assumed: import real results to learn more. "
        )
    if sources <= {"benchmark", "assumption"}:
        words += "No campaign of this channel is over yet, so these are other people's figures. "
    return words + "How soon people react and how much single orders differ are assumptions, too."
