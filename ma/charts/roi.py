"""Return on investment: what each campaign gave back for what it cost."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.charts.breakdown import HATCH
from ma.money import amount, unit


def roi(frame: pd.DataFrame, *, currency: str, chosen: int | None = None) -> go.Figure:
    """Sorted bars of ROI by campaign from an analytics.roi frame; campaigns of unknown cost are left out.

    Hatched are those of which people are still inside their conversion window (the column immature, where
    there is one). `chosen` is the campaign to which the other charts are narrowed. The last of each bar's
    customdata is its campaign.
    """
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
                "opacity": _fade(known, chosen),
                "pattern": _hatch(known),
            },
            text=[
                f"{r * 100:+,.0f} %{' so far' if growing else ''}"
                for r, growing in zip(known["roi"], _growing(known), strict=True)
            ],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                (
                    amount(r.cost_minor, currency),
                    amount(r.revenue_minor, currency),
                    int(r.sent),
                    escape(r.name),
                    inside,
                    campaign_id,
                )
                for r, inside, campaign_id in zip(
                    known.itertuples(), _inside(known), _ids(known), strict=True
                )
            ],
            hovertemplate="<b>%{customdata[3]}</b><br>ROI %{x:.1%}<br>Cost %{customdata[0]}"
            "<br>Revenue %{customdata[1]}<br>Sent to %{customdata[2]:,}%{customdata[4]}<extra></extra>",
        )
    )
    figure.update_traces(unselected={"marker": {"opacity": 1}})
    theme.apply(figure, height=44 * max(len(known), 2) + 40)
    figure.add_vline(x=0, line={"color": theme.NEUTRAL, "width": 1})
    low, high = min([*known["roi"], 0]), max([*known["roi"], 0.1])
    # Beside the bars there is room for their figures, left of a loss too.
    pad = (high - low) * (0.45 if any(_growing(known)) else 0.2)
    _name_places(figure, known["name"])
    figure.update_xaxes(tickformat=".0%", range=[low - pad if low < 0 else 0, high + pad])
    return figure


def revenue(frame: pd.DataFrame, *, currency: str, chosen: int | None = None) -> go.Figure:
    """Sorted bars of attributed revenue by campaign, in the colours of their channels, drawn as `roi` is."""
    shown = frame.sort_values("revenue_minor")
    figure = go.Figure(
        go.Bar(
            x=shown["revenue_minor"] / unit(currency),
            y=list(range(len(shown))),
            orientation="h",
            marker={
                "color": [theme.CHANNEL_COLOURS.get(c, theme.NEUTRAL) for c in shown["channel"]],
                "cornerradius": 4,
                "opacity": _fade(shown, chosen),
                "pattern": _hatch(shown),
            },
            text=[theme.compact_money(v, currency) for v in shown["revenue_minor"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                (escape(r.name), amount(r.revenue_minor, currency), inside, campaign_id)
                for r, inside, campaign_id in zip(
                    shown.itertuples(), _inside(shown), _ids(shown), strict=True
                )
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>Revenue %{customdata[1]}%{customdata[2]}"
            "<extra></extra>",
        )
    )
    figure.update_traces(unselected={"marker": {"opacity": 1}})
    theme.apply(figure, height=34 * max(len(shown), 2) + 40)
    top = max(shown["revenue_minor"].max() / unit(currency) if len(shown) else 0, 1)
    _name_places(figure, shown["name"])
    figure.update_xaxes(range=[0, top * 1.15], tickformat="~s")
    return figure


def _ids(frame: pd.DataFrame) -> list[int | None]:
    return [int(i) for i in frame["campaign_id"]] if "campaign_id" in frame else [None] * len(frame)


def _growing(frame: pd.DataFrame) -> list[bool]:
    """Whether people of a campaign are still inside their conversion window."""
    return [n > 0 for n in frame["immature"]] if "immature" in frame else [False] * len(frame)


def _inside(frame: pd.DataFrame) -> list[str]:
    if "immature" not in frame:
        return [""] * len(frame)
    return [f"<br>{n:,.0f} still inside their conversion window" if n > 0 else "" for n in frame["immature"]]


def _hatch(frame: pd.DataFrame) -> dict:
    return HATCH | {"shape": [HATCH["shape"] if growing else "" for growing in _growing(frame)]}


def _fade(frame: pd.DataFrame, chosen: int | None) -> list[float]:
    """Bars beside the chosen one are pale; without one, none is."""
    if chosen is None or "campaign_id" not in frame:
        return [1.0] * len(frame)
    return [1.0 if i == chosen else 0.35 for i in frame["campaign_id"]]


def _name_places(figure: go.Figure, names: pd.Series) -> None:
    """Label the bars by name; long names are cut, so a name can't be what tells two bars apart."""
    short = [escape(name if len(name) <= 34 else name[:32] + "…") for name in names]
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(short))), ticktext=short, showgrid=False)
