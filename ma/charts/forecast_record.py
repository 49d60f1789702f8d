"""How good forecasts were: what was expected against what happened, and how often the interval held."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.charts.forecast import FIGURES
from ma.money import amount


def coverage(frame: pd.DataFrame, *, promised: float) -> go.Figure:
    """How often the interval held, by figure (figure, campaigns, inside, low, high), and the promise."""
    places = list(range(len(frame)))
    figure = go.Figure(
        go.Scatter(
            x=frame["inside"],
            y=places,
            mode="markers",
            marker={"color": theme.BRAND, "size": 11},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": frame["high"] - frame["inside"],
                "arrayminus": frame["inside"] - frame["low"],
                "color": theme.BRAND,
                "thickness": 2,
                "width": 5,
            },
            customdata=[(_label(row.figure), row.campaigns, row.low, row.high) for row in frame.itertuples()],
            hovertemplate="<b>%{customdata[0]}</b><br>inside in %{x:.0%} of %{customdata[1]} campaigns"
            "<br>95 % interval %{customdata[2]:.0%} to %{customdata[3]:.0%}<extra></extra>",
        )
    )
    theme.apply(figure, height=34 * max(len(frame), 2) + 44)
    figure.add_vline(x=promised, line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(range=[0, 1.03], tickformat=".0%", nticks=6)
    figure.update_yaxes(
        tickmode="array",
        tickvals=places,
        ticktext=[_label(name) for name in frame["figure"]],
        range=[len(frame) - 0.5, -0.5],
        showgrid=False,
    )
    return figure


def against(record: pd.DataFrame, *, currency: str) -> go.Figure:
    """Forecasts of one figure against what happened, in parts of the middle case, the newest on top.

    Rows of an analytics.calibration.forecast_record; those whose middle case is 0 are left out.
    """
    rows = record[record["p50"] > 0].reset_index(drop=True)
    scale, places = rows["p50"], list(range(len(rows)))
    colours = [
        theme.NEUTRAL if pd.isna(inside) else theme.GOOD if inside else theme.BAD for inside in rows["inside"]
    ]
    figure = go.Figure()
    figure.add_bar(
        x=(rows["p90"] - rows["p10"]) / scale,
        base=rows["p10"] / scale,
        y=places,
        orientation="h",
        width=0.3,
        marker={"color": "rgba(135, 147, 166, 0.35)", "cornerradius": 3},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=rows["actual"] / scale,
        y=places,
        mode="markers",
        marker={
            "color": colours,
            "size": 11,
            "symbol": ["circle-open" if pd.isna(i) else "circle" if i else "x" for i in rows["inside"]],
        },
        customdata=[
            (
                escape(row.name),
                *(_shown(row.figure, value, currency) for value in (row.actual, row.p10, row.p90)),
                row.state,
            )
            for row in rows.itertuples(index=False)
        ],
        hovertemplate="<b>%{customdata[0]}</b> (%{customdata[4]})"
        "<br>Forecast %{customdata[2]} to %{customdata[3]}<br>Happened %{customdata[1]}<extra></extra>",
    )
    theme.apply(figure, height=34 * max(len(rows), 2) + 40)
    figure.add_vline(x=1, line={"color": theme.NEUTRAL, "width": 1, "dash": "dot"})
    names = [escape(name if len(name) <= 30 else name[:28] + "…") for name in rows["name"]]
    figure.update_xaxes(tickformat=".0%", rangemode="tozero", nticks=6)
    figure.update_yaxes(
        tickmode="array", tickvals=places, ticktext=names, range=[len(rows) - 0.5, -0.5], showgrid=False
    )
    return figure


def _shown(figure: str, value: float, currency: str) -> str:
    return amount(value, currency) if figure.endswith("_minor") else f"{value:,.0f}"


def _label(figure: str) -> str:
    return FIGURES.get(figure, "All figures together")
