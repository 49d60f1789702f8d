"""Segments: how each responded."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme


def performance(frame: pd.DataFrame, *, rate: str = "conversion_rate") -> go.Figure:
    """A rate by segment, as sorted bars, from a segment_performance frame; unknown rates are left out."""
    known = frame[frame[rate].notna()].sort_values(rate)
    names = known["segment"].str.replace("&", "&amp;").str.replace("<", "&lt;")
    figure = go.Figure(
        go.Bar(
            x=known[rate],
            y=names,
            orientation="h",
            marker={"color": theme.BRAND, "cornerradius": 4},
            text=[f"{v * 100:.1f} %" for v in known[rate]],
            textposition="outside",
            cliponaxis=False,
            customdata=[(int(r.sent), int(r.campaigns)) for r in known.itertuples()],
            hovertemplate="<b>%{y}</b><br>%{x:.2%}<br>%{customdata[0]:,} messages in "
            "%{customdata[1]} campaigns<extra></extra>",
        )
    )
    theme.apply(figure, height=38 * max(len(known), 2) + 40)
    top = max(known[rate].max() if len(known) else 0, 0.001)
    figure.update_xaxes(range=[0, top * 1.2], tickformat=".1%")
    figure.update_yaxes(showgrid=False)
    return figure
