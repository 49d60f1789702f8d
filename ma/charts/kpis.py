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


def channels(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Attributed revenue by channel, as sorted bars, from an analytics.roi frame."""
    summed = (
        frame.groupby("channel", as_index=False)[["revenue_minor", "sent"]].sum().sort_values("revenue_minor")
    )
    figure = go.Figure(
        go.Bar(
            x=summed["revenue_minor"] / unit(currency),
            y=summed["channel"].map(theme.CHANNEL_LABELS),
            orientation="h",
            marker={"color": [theme.CHANNEL_COLOURS[c] for c in summed["channel"]], "cornerradius": 4},
            text=[theme.compact_money(v, currency) for v in summed["revenue_minor"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[(amount(r.revenue_minor, currency), int(r.sent)) for r in summed.itertuples()],
            hovertemplate="<b>%{y}</b><br>%{customdata[0]}<br>%{customdata[1]:,} messages<extra></extra>",
        )
    )
    theme.apply(figure, height=44 * max(len(summed), 2) + 30)
    top = max(summed["revenue_minor"].max() / unit(currency) if len(summed) else 0, 1)
    figure.update_xaxes(range=[0, top * 1.25], visible=False)
    figure.update_yaxes(showgrid=False)
    return figure
