"""The course of the key figures."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit


def revenue(frame: pd.DataFrame, previous: pd.DataFrame, *, currency: str, by: str) -> go.Figure:
    """Revenue of an analytics.kpis.trend frame as a line over the same length of time before it."""
    figure = go.Figure()
    before = previous["revenue_minor"].iloc[: len(frame)] / unit(currency)
    figure.add_scatter(
        x=frame["period"].iloc[: len(before)],
        y=before,
        name="Period before",
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"},
        customdata=[
            (amount(row.revenue_minor, currency), f"{row.period:%d %b %Y}")
            for row in previous.iloc[: len(frame)].itertuples()
        ],
        hovertemplate="%{customdata[0]} (%{customdata[1]})<extra>Period before</extra>",
    )
    figure.add_scatter(
        x=frame["period"],
        y=frame["revenue_minor"] / unit(currency),
        name="Revenue",
        mode="lines",
        line={"color": theme.BRAND, "width": 2.5},
        fill="tozeroy",
        fillcolor="rgba(79, 91, 213, 0.10)",
        customdata=[(amount(r.revenue_minor, currency), f"{r.orders:,}") for r in frame.itertuples()],
        hovertemplate="%{customdata[0]}, %{customdata[1]} orders<extra>Revenue</extra>",
    )
    theme.apply(figure, height=300)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.12, "x": 0, "traceorder": "reversed"},
        hovermode="x unified",
    )
    figure.update_yaxes(rangemode="tozero", tickprefix=symbol(currency), tickformat="~s", nticks=6)
    figure.update_xaxes(showgrid=False, hoverformat="%a %d %b %Y" if by == "day" else "week from %d %b %Y")
    return figure
