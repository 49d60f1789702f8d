"""The pipeline of Sales, stage by stage."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

STAGES = {
    "new": "New",
    "contacted": "Contacted",
    "qualified": "Qualified",
    "proposal": "Proposal",
    "won": "Won",
    "lost": "Lost",
}
_COLOURS = {"won": theme.GOOD, "lost": theme.NEUTRAL}


def pipeline(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """How many leads are in each stage, and what they are worth, from an analytics.lead_pipeline frame.

    Each bar's customdata is its stage and what its leads are worth.
    """
    worth = [theme.compact_money(value, currency) if value else "" for value in frame["value_minor"]]
    words = [
        f" {leads:,}" + (f" · {money}" if money else "")
        for leads, money in zip(frame["leads"], worth, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=frame["leads"],
            y=[STAGES[stage] for stage in frame["stage"]],
            orientation="h",
            marker={
                "color": [_COLOURS.get(stage, theme.BRAND) for stage in frame["stage"]],
                "cornerradius": 3,
            },
            text=words,
            textposition="outside",
            cliponaxis=False,
            customdata=list(zip(frame["stage"], worth, strict=True)),
            hovertemplate="%{y}: <b>%{x:,}</b> leads %{customdata[1]}<extra></extra>",
        )
    )
    theme.apply(figure, height=42 * len(frame) + 24)
    most = int(frame["leads"].max()) if len(frame) else 0
    figure.update_xaxes(visible=False, range=[0, max(1, most) * 1.35])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure
