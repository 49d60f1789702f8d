"""How a number lies among customers: small bars beside the rule that asks for it."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts.theme import BRAND, apply
from ma.money import symbol, unit
from ma.text import significant


def spread(bins: pd.DataFrame, *, currency: str | None = None, more: bool = False) -> go.Figure:
    """Bars of `bins` (low, high, customers); amounts in minor units where a currency is given.

    `more`: the last bar holds whatever lies above it, too.
    """
    major, sign = (unit(currency), symbol(currency)) if currency else (1, "")
    low, high = bins["low"] / major, bins["high"] / major
    figure = go.Figure(
        go.Bar(
            x=(low + high) / 2,
            y=bins["customers"],
            width=(high - low) * 0.94,
            marker_color=BRAND,
            hovertext=_words(low, high, sign, more=more),
            hovertemplate="%{hovertext}<br><b>%{y:,} customers</b><extra></extra>",
        )
    )
    apply(figure, height=150)
    figure.update_layout(bargap=0.04)
    figure.update_xaxes(tickprefix=sign, nticks=6, tickformat=",", showgrid=False)
    figure.update_yaxes(nticks=4, tickformat=",d")
    return figure


def _words(low: pd.Series, high: pd.Series, sign: str, *, more: bool) -> list[str]:
    single = (high - low == 1) & (low % 1 == 0)
    words = [
        f"{sign}{start:,.10g}" if alone else f"{sign}{significant(start)} to {sign}{significant(end)}"
        for start, end, alone in zip(low, high, single, strict=True)
    ]
    return [*words[:-1], f"{sign}{significant(low.iloc[-1])} and more"] if more else words
