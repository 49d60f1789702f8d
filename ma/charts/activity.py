"""What goes on between the modules, minute by minute."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

MODULES = {"ma": "Marketing", "sales": "Sales", "service": "Service", "webhooks": "Webhooks"}
COLOURS = {"ma": theme.BRAND, "sales": theme.TEAL, "service": theme.ORANGE, "webhooks": theme.PINK}


def throughput(frame: pd.DataFrame, *, timezone: str) -> go.Figure:
    """Events acted on in each minute, stacked by subscriber, from an analytics.activity.throughput frame."""
    figure = go.Figure()
    for name, mine in frame.groupby("subscriber", sort=False):
        figure.add_bar(
            x=mine["minute"].dt.tz_convert(timezone).dt.tz_localize(None),
            y=mine["events"],
            name=MODULES.get(name, name),
            marker={"color": COLOURS.get(name, theme.NEUTRAL)},
            hovertemplate="%{x|%H:%M}: <b>%{y:,}</b> events<extra>" + MODULES.get(name, name) + "</extra>",
        )
    theme.apply(figure, height=230)
    figure.update_layout(
        barmode="stack",
        bargap=0.15,
        showlegend=True,
        # Room for its second line on a phone.
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        margin_t=44,
        # The same figure drawn again keeps what somebody has zoomed into or hidden.
        uirevision="throughput",
    )
    most = frame.groupby("minute")["events"].sum().max() if len(frame) else 0
    figure.update_yaxes(range=[0, max(4, most * 1.1)], nticks=4, tickformat=",d")
    figure.update_xaxes(showgrid=False, tickformat="%H:%M")
    return figure
