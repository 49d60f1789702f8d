"""The tickets of Service, by what they are about."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

KINDS = {"complaint": "Complaints", "bounces": "Bounces", "unsubscriptions": "Unsubscriptions"}
_STATES = {
    "open": ("Open", theme.ORANGE),
    "in_progress": ("In progress", theme.BRAND),
    "closed": ("Closed", theme.NEUTRAL),
}


def by_kind(frame: pd.DataFrame) -> go.Figure:
    """How many tickets of each kind are open, in progress, closed, from a tickets.ticket_summary frame."""
    figure = go.Figure()
    for name, (label, colour) in _STATES.items():
        figure.add_bar(
            x=frame[name],
            y=[KINDS.get(kind, kind) for kind in frame["kind"]],
            orientation="h",
            name=label,
            marker={"color": colour, "cornerradius": 3},
            text=[f"{value:,}" if value else "" for value in frame[name]],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"%{{y}}, {label.lower()}: <b>%{{x:,}}</b><extra></extra>",
        )
    theme.apply(figure, height=46 * max(len(frame), 1) + 56)
    figure.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "h", "y": -0.05, "x": 0, "yanchor": "top", "traceorder": "normal"},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure
