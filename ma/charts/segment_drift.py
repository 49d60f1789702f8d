"""How a segment changed from month to month: its size, and how far its people moved from what they were."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.charts.segments import SEGMENT_MARKS


def sizes(frame: pd.DataFrame) -> go.Figure:
    """People at each month end as a line, and the size at the last refresh before as diamonds.

    `frame`: rows of `analytics.segment_drift.segment_drift`.
    """
    people = frame[frame["measure"] == "people"]
    recorded = frame[(frame["measure"] == "recorded") & frame["value"].notna()]
    figure = go.Figure()
    figure.add_scatter(
        x=_names(people["month_end"]),
        y=people["value"],
        customdata=[f"{end:%b %Y}" for end in people["month_end"]],
        mode="lines+markers",
        line={"color": theme.BRAND, "width": 2.5},
        marker={"size": 7},
        hovertemplate="<b>%{y:,}</b> people at the end of %{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=_names(recorded["month_end"]),
        y=recorded["value"],
        customdata=[f"{end:%b %Y}" for end in recorded["month_end"]],
        mode="markers",
        marker={"color": theme.ORANGE, "symbol": "diamond-open", "size": 11, "line": {"width": 2}},
        hovertemplate="<b>%{y:,}</b> at the last refresh before the end of %{customdata}<extra></extra>",
    )
    theme.apply(figure, height=240)
    figure.update_yaxes(rangemode="tozero", tickformat=",.0f", nticks=5)
    _months(figure, people["month_end"])
    return figure


def course(frame: pd.DataFrame) -> go.Figure:
    """The standardised difference of each mean from its first month end, month by month.

    `frame`: rows of `analytics.segment_drift.segment_drift`. Means without any difference are left out.
    """
    means = frame[(frame["kind"] == "mean") & frame["difference"].notna()]
    figure = go.Figure()
    for place, label in enumerate(dict.fromkeys(frame.loc[frame["kind"] == "mean", "label"])):
        mine = means[means["label"] == label]
        if mine.empty:
            continue
        figure.add_scatter(
            x=_names(mine["month_end"]),
            y=mine["difference"],
            name=escape(label),
            mode="lines+markers",
            line={"color": theme.SERIES_COLOURS[place % len(theme.SERIES_COLOURS)], "width": 2},
            marker={"symbol": SEGMENT_MARKS[place % len(SEGMENT_MARKS)], "size": 8},
            customdata=[(f"{row.month_end:%b %Y}", f"{row.n:,}") for row in mine.itertuples()],
            hovertemplate="<b>%{y:+.2f}</b> standard deviations at the end of %{customdata[0]}<br>"
            "%{customdata[1]} people",
        )
    figure.add_hline(y=0, line={"color": theme.NEUTRAL, "width": 1})
    theme.apply(figure, height=360, top=40)
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0})
    figure.update_yaxes(tickformat="+.1f", nticks=7)
    _months(figure, frame["month_end"])
    return figure


def _names(ends: pd.Series) -> list[str]:
    return [f"{end:%Y-%m}" for end in ends]


def _months(figure: go.Figure, ends: pd.Series) -> None:
    days = list(dict.fromkeys(ends))
    # The year only where it begins: so twelve months have room on a telephone.
    words = [
        f"{day:%b}" + (f"<br>{day:%Y}" if i == 0 or day.month == 1 else "") for i, day in enumerate(days)
    ]
    figure.update_xaxes(
        showgrid=False,
        type="category",
        categoryorder="array",
        categoryarray=_names(days),
        tickmode="array",
        tickvals=_names(days),
        ticktext=words,
        tickangle=0,
    )
