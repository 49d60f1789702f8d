"""Return on investment: what each campaign gave back for what it cost."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, unit


def roi(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Sorted bars of ROI by campaign from an analytics.roi frame; campaigns of unknown cost are left out."""
    known = frame[frame["roi"].notna()].sort_values("roi")
    places = list(range(len(known)))
    figure = go.Figure(
        go.Bar(
            x=known["roi"],
            y=places,
            orientation="h",
            marker={
                "color": [theme.GOOD if r >= 0 else theme.BAD for r in known["roi"]],
                "cornerradius": 4,
            },
            text=[f"{r * 100:+,.0f} %" for r in known["roi"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                (
                    amount(r.cost_minor, currency),
                    amount(r.revenue_minor, currency),
                    int(r.sent),
                    escape(r.name),
                )
                for r in known.itertuples()
            ],
            hovertemplate="<b>%{customdata[3]}</b><br>ROI %{x:.1%}<br>Cost %{customdata[0]}"
            "<br>Revenue %{customdata[1]}<br>Sent to %{customdata[2]:,}<extra></extra>",
        )
    )
    theme.apply(figure, height=44 * max(len(known), 2) + 40)
    figure.add_vline(x=0, line={"color": theme.NEUTRAL, "width": 1})
    low, high = min([*known["roi"], 0]), max([*known["roi"], 0.1])
    pad = (high - low) * 0.18
    _name_places(figure, known["name"])
    figure.update_xaxes(tickformat=".0%", range=[max(low - pad, -1.6) if low < 0 else 0, high + pad])
    return figure


def revenue(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Sorted bars of attributed revenue by campaign, in the colours of their channels."""
    shown = frame.sort_values("revenue_minor")
    figure = go.Figure(
        go.Bar(
            x=shown["revenue_minor"] / unit(currency),
            y=list(range(len(shown))),
            orientation="h",
            marker={
                "color": [theme.CHANNEL_COLOURS.get(c, theme.NEUTRAL) for c in shown["channel"]],
                "cornerradius": 4,
            },
            text=[theme.compact_money(v, currency) for v in shown["revenue_minor"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[(escape(r.name), amount(r.revenue_minor, currency)) for r in shown.itertuples()],
            hovertemplate="<b>%{customdata[0]}</b><br>Revenue %{customdata[1]}<extra></extra>",
        )
    )
    theme.apply(figure, height=34 * max(len(shown), 2) + 40)
    top = max(shown["revenue_minor"].max() / unit(currency) if len(shown) else 0, 1)
    _name_places(figure, shown["name"])
    figure.update_xaxes(range=[0, top * 1.15], tickformat="~s")
    return figure


def _name_places(figure: go.Figure, names: pd.Series) -> None:
    """Label the bars by name; long names are cut, so a name can't be what tells two bars apart."""
    short = [escape(name if len(name) <= 34 else name[:32] + "…") for name in names]
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(short))), ticktext=short, showgrid=False)
