"""How a segment's size changed, and who entered and left."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

# Refreshes closer together than this would have bars of no width.
_WIDEST, _NARROWEST = 0.6, 0.012


def size_history_chart(frame: pd.DataFrame, *, timezone: str) -> go.Figure:
    """The size as a line that holds until the next refresh, above bars of who entered and who left.

    `frame`: rows of `analytics.segments.size_history` of one segment, oldest first.
    """
    at = pd.to_datetime(frame["as_of"], utc=True).dt.tz_convert(timezone).dt.tz_localize(None)
    entered, left = frame["entered"].to_numpy(), frame["left"].to_numpy()
    figure = go.Figure()
    figure.add_scatter(
        x=at,
        y=frame["size"],
        name="Customers",
        mode="lines+markers",
        line={"color": theme.BRAND, "width": 2.5, "shape": "hv"},
        marker={"size": 6},
        customdata=list(zip(entered.tolist(), left.tolist(), strict=True)),
        hovertemplate="<b>%{y:,} customers</b><br>%{x|%-d %b %Y, %H:%M}<br>"
        "%{customdata[0]:,} entered, %{customdata[1]:,} left<extra></extra>",
    )
    width = _bar_width(at)
    for name, values, colour in (("entered", entered, theme.GOOD), ("left", -left, theme.BAD)):
        figure.add_bar(
            x=at,
            y=values,
            name=name,
            width=width,
            yaxis="y2",
            marker={"color": colour},
            customdata=abs(values),
            hovertemplate=f"<b>%{{customdata:,}} {name}</b><br>%{{x|%-d %b %Y, %H:%M}}<extra></extra>",
        )
    theme.apply(figure, height=340)
    top = max(int(frame["size"].max()), 1)
    figure.update_layout(
        barmode="relative",
        yaxis={"domain": [0.36, 1.0], "range": [0, top * 1.12], "tickformat": ",", "title": None},
        yaxis2={
            "domain": [0.0, 0.26],
            "gridcolor": theme.GRID,
            "zeroline": True,
            "zerolinecolor": theme.NEUTRAL,
            "tickformat": ",",
            "nticks": 4,
            "anchor": "x",
        },
    )
    figure.update_xaxes(anchor="y2")
    figure.add_annotation(
        text="Entered (up) and left (down)",
        xref="paper",
        yref="paper",
        x=0,
        y=0.3,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": theme.NEUTRAL},
    )
    return figure


def _bar_width(at: pd.Series) -> list[float]:
    """In milliseconds: most of the way to the neighbour, and wide enough to be seen."""
    span = max((at.max() - at.min()).total_seconds() * 1000, 3_600_000.0)
    gaps = at.diff().dt.total_seconds().mul(1000).iloc[1:]
    usual = float(gaps.median()) if len(gaps) else span
    return [max(min(usual * _WIDEST, span * 0.05), span * _NARROWEST)] * len(at)
