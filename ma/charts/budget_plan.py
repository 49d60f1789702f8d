"""Budget plans: what each campaign gets beside an even split, and what more budget would bring."""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import symbol, unit

_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# How far over its bars a row's words stand, in rows.
_ABOVE = 0.42
_HALF = 26


def split(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """By campaign what the plan gives it, and under that what an even split would.

    Takes campaign, channel, budget_minor, share (of the whole budget) and even_budget_minor; campaigns that
    get nothing in either are left out.
    """
    frame = frame[frame[["budget_minor", "even_budget_minor"]].max(axis=1) > 0]
    whole, places = unit(currency), list(range(len(frame)))
    figure = go.Figure()
    for name, offset, width, opacity, which in (
        ("Plan", -0.04, 0.26, 1.0, "budget_minor"),
        ("Even split", 0.2, 0.12, 0.35, "even_budget_minor"),
    ):
        figure.add_bar(
            x=frame[which] / whole,
            y=[place + offset for place in places],
            orientation="h",
            width=width,
            opacity=opacity,
            marker={"color": [theme.CHANNEL_COLOURS[c] for c in frame["channel"]], "cornerradius": 3},
            customdata=[
                (escape(campaign), theme.compact_money(money, currency))
                for campaign, money in zip(frame["campaign"], frame[which], strict=True)
            ],
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>{name} %{{customdata[1]}}<extra></extra>",
        )
    words = [
        f"{_short(row.campaign)}{_GAP}<b>{theme.compact_money(row.budget_minor, currency)}</b>{_GAP}"
        f"{theme.percent(row.share, 0)}{_GAP}(even: {theme.compact_money(row.even_budget_minor, currency)})"
        for row in frame.itertuples()
    ]
    figure.add_scatter(
        x=[0.0] * len(places),
        y=[place - _ABOVE for place in places],
        mode="text",
        text=words,
        textposition="middle right",
        textfont={"size": 13},
        hoverinfo="skip",
        cliponaxis=False,
    )
    theme.apply(figure, height=58 * max(len(frame), 1) + 44)
    most = max(float(frame[["budget_minor", "even_budget_minor"]].max().max()) / whole, 1.0 / whole)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(
        range=[0, most * 1.04],
        tickprefix=symbol(currency),
        tickformat="~s",
        nticks=5,
    )
    figure.update_yaxes(visible=False, range=[len(frame) - 0.5, -0.75])
    return figure


def returns(
    curve: pd.DataFrame, *, budget_minor: int, even_minor: float, enough_minor: int, currency: str
) -> go.Figure:
    """The expected profit of the best split by budget: where it flattens, more money brings nothing.

    Takes a BudgetPlan's curve, and marks the budget, the even split's profit, and where it is enough.
    """
    whole, end = unit(currency), float(curve["budget_minor"].max())
    figure = go.Figure()
    figure.add_scatter(
        x=curve["budget_minor"] / whole,
        y=curve["profit_minor"] / whole,
        mode="lines",
        line={"color": theme.BRAND, "width": 3},
        customdata=[
            tuple(theme.compact_money(money, currency) for money in row)
            for row in curve[["budget_minor", "profit_minor", "spent_minor"]].to_numpy()
        ],
        hovertemplate="Budget %{customdata[0]}<br>Extra profit <b>%{customdata[1]}</b>"
        "<br>Spent %{customdata[2]}<extra></extra>",
    )
    here = float(np.interp(budget_minor, curve["budget_minor"], curve["profit_minor"]))
    low = min(0.0, float(curve["profit_minor"].min()), even_minor) / whole
    high = max(float(curve["profit_minor"].max()), even_minor, 1.0) / whole
    # Under the curve there is room for words, unless both points are near each other.
    near = here - even_minor < 0.15 * (high - low) * whole
    for name, money, symbol_, colour, place in (
        ("Plan", here, "circle", theme.BRAND, "top" if near else "bottom"),
        ("Even split", even_minor, "diamond", theme.NEUTRAL, "bottom"),
    ):
        figure.add_scatter(
            x=[budget_minor / whole],
            y=[money / whole],
            mode="markers+text",
            marker={
                "color": colour,
                "size": 13,
                "symbol": symbol_,
                "line": {"color": "#FFFFFF", "width": 2},
            },
            text=[f"{name} {theme.compact_money(money, currency)}"],
            textposition=f"{place} {'left' if budget_minor > end / 2 else 'right'}",
            textfont={"size": 13},
            hovertemplate=f"{name} of {theme.compact_money(budget_minor, currency)}"
            f"<br><b>{theme.compact_money(money, currency)}</b><extra></extra>",
            cliponaxis=False,
        )
    if 0 < enough_minor < end:
        figure.add_vrect(x0=enough_minor / whole, x1=end / whole, fillcolor=theme.GRID, line_width=0)
        figure.add_annotation(
            x=enough_minor / whole,
            y=1.0,
            yref="paper",
            xanchor="left" if enough_minor < end * 0.6 else "right",
            yanchor="bottom",
            text=f"{theme.compact_money(enough_minor, currency)} is enough",
            showarrow=False,
        )
    theme.apply(figure, height=300, top=30)
    figure.update_xaxes(range=[0, end / whole], tickprefix=symbol(currency), tickformat="~s", nticks=6)
    figure.update_yaxes(
        range=[low - 0.12 * (high - low), high + 0.14 * (high - low)],
        tickprefix=symbol(currency),
        tickformat="~s",
        nticks=5,
    )
    return figure


def _short(name: str) -> str:
    return escape(name if len(name) <= _HALF else name[: _HALF - 1].rstrip() + "…")
