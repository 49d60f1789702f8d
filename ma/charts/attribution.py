"""Attribution: the credit of each channel or campaign, one dot for each model."""

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount

# Rows in the picture; the table and the export have all.
MOST = 10
# Colour and shape: two signals. What learns from the data has the brand's colour.
_LOOKS = {
    "last_touch": (theme.GREY, "triangle-right"),
    "first_touch": (theme.SKY, "triangle-left"),
    "linear": (theme.TEAL, "square"),
    "time_decay": (theme.ORANGE, "triangle-up"),
    "position_based": (theme.PINK, "hourglass"),
    "markov": (theme.BRAND, "circle"),
    "shapley": (theme.BRAND, "diamond"),
}
# In rows: the height of one's dots, and how far over them its words stand.
_HALF, _ABOVE = 0.24, 0.42
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"


def credit(
    frame: pd.DataFrame, *, models: Mapping[str, str], figure: str = "conversions", currency: str
) -> go.Figure:
    """Dots from an analytics.attribution frame: a row per channel or campaign, in it one dot per model.

    `models` names the models that are shown, `figure` is conversions or revenue_minor. The shaded strip goes
    from the least to the most that a model gives. Beyond MOST rows those with least credit are left out.
    """
    share = "share" if figure == "conversions" else "revenue_share"
    shown = frame[frame["model"].isin(list(models))]
    ends = shown.groupby("name", sort=False)[share].agg(["min", "max"]).astype(float).fillna(0.0)
    ends = ends.sort_values("max", ascending=False, kind="stable").head(MOST)
    row = {name: place for place, name in enumerate(ends.index)}
    lane = {model: place for place, model in enumerate(models)}
    longest = max(float(ends["max"].max()) if len(ends) else 0.0, 0.01)
    chart = go.Figure()
    for name, place in row.items():
        low, high = ends.loc[name]
        chart.add_shape(
            type="rect", x0=low, x1=high, y0=place - _HALF, y1=place + _HALF,
            fillcolor=theme.GRID, line_width=0, layer="below",
        )  # fmt: skip
    for model, words in models.items():
        part = shown[shown["model"] == model]
        whole = part[figure].sum()
        part = part[part["name"].isin(row)]
        colour, symbol = _LOOKS[model]
        shift = (lane[model] / max(len(models) - 1, 1) - 0.5) * 2 * _HALF if len(models) > 1 else 0.0
        chart.add_scatter(
            x=part[share],
            y=[row[name] + shift for name in part["name"]],
            name=words,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 11},
            customdata=[
                (escape(name), _said(value, whole, figure, currency))
                for name, value in zip(part["name"], part[figure], strict=True)
            ],
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{escape(words)}: %{{x:.1%}} of the credit"
            "<br>%{customdata[1]}<extra></extra>",
            cliponaxis=False,
        )
    chart.add_scatter(
        x=[0.0] * len(row),
        y=[place - _ABOVE for place in row.values()],
        mode="text",
        text=[f"<b>{escape(_short(name))}</b>{_GAP}{_range(*ends.loc[name])}" for name in row],
        textposition="middle right",
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    theme.apply(chart, height=84 * max(len(row), 1) + 110, top=8)
    chart.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
    )
    chart.update_xaxes(range=[0, longest * 1.05], tickformat=".0%", nticks=6, showgrid=True)
    chart.update_yaxes(visible=False, range=[max(len(row), 1) - 0.6, -0.7])
    return chart


def _said(value: float, whole: float, figure: str, currency: str) -> str:
    if figure == "conversions":
        return f"{value:,.2f} of {whole:,.0f} conversions"
    return f"{amount(value, currency)} of {amount(whole, currency)}"


def _range(low: float, high: float) -> str:
    """The least and the most that a model gives, in words."""
    least, most = theme.percent(low), theme.percent(high)
    return most if least == most else f"{least.removesuffix(' %')}–{most}"


def _short(name: str) -> str:
    return name if len(name) <= 44 else name[:42] + "…"
