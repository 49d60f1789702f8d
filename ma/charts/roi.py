"""Return on investment: what each campaign gave back for what it cost."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme


def roi(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Sorted bars of ROI by campaign from an analytics.roi frame; campaigns of unknown cost are left out."""
    known = frame[frame["roi"].notna()].sort_values("roi")
    figure = go.Figure(
        go.Bar(
            x=known["roi"],
            y=known["name"].map(_shorten),
            orientation="h",
            marker={
                "color": [theme.GOOD if r >= 0 else theme.BAD for r in known["roi"]],
                "cornerradius": 4,
            },
            text=[f"{r * 100:+,.0f} %" for r in known["roi"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                (theme.money(r.cost_minor, currency), theme.money(r.revenue_minor, currency), int(r.sent))
                for r in known.itertuples()
            ],
            hovertemplate="<b>%{y}</b><br>ROI %{x:.1%}<br>Cost %{customdata[0]}"
            "<br>Revenue %{customdata[1]}<br>Sent to %{customdata[2]:,}<extra></extra>",
        )
    )
    theme.apply(figure, height=44 * max(len(known), 2) + 40)
    figure.add_vline(x=0, line={"color": theme.NEUTRAL, "width": 1})
    low, high = min([*known["roi"], 0]), max([*known["roi"], 0.1])
    pad = (high - low) * 0.18
    figure.update_xaxes(tickformat=".0%", range=[max(low - pad, -1.6) if low < 0 else 0, high + pad])
    figure.update_yaxes(showgrid=False)
    return figure


def revenue_and_cost(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Revenue by campaign as bars, with a mark where its cost lies (no mark: cost unknown)."""
    shown = frame.sort_values("revenue_minor")
    names = shown["name"].map(_shorten)
    figure = go.Figure(
        go.Bar(
            x=shown["revenue_minor"] / 100,
            y=names,
            orientation="h",
            marker={
                "color": [theme.CHANNEL_COLOURS.get(c, theme.NEUTRAL) for c in shown["channel"]],
                "cornerradius": 4,
            },
            text=[theme.compact_money(v, currency) for v in shown["revenue_minor"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[theme.money(v, currency) for v in shown["revenue_minor"]],
            hovertemplate="<b>%{y}</b><br>Revenue %{customdata}<extra></extra>",
        )
    )
    costed = shown["cost_minor"].notna()
    figure.add_scatter(
        x=shown.loc[costed, "cost_minor"] / 100,
        y=names[costed],
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": theme.BAD}},
        customdata=[theme.money(v, currency) for v in shown.loc[costed, "cost_minor"]],
        hovertemplate="<b>%{y}</b><br>Cost %{customdata}<extra></extra>",
    )
    theme.apply(figure, height=34 * max(len(shown), 2) + 40)
    top = max(shown["revenue_minor"].max() / 100 if len(shown) else 0, 1)
    figure.update_xaxes(range=[0, top * 1.15], tickformat="~s")
    figure.update_yaxes(showgrid=False)
    return figure


def _shorten(name: str) -> str:
    # Plotly reads a few HTML tags in labels; a campaign's name is text.
    name = name.replace("&", "&amp;").replace("<", "&lt;")
    return name if len(name) <= 34 else name[:32] + "…"
