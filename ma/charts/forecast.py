"""Forecasts: bands around every figure, the chance of a loss, what matters most, what a change brings."""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import symbol, unit

FIGURES = {
    "treated": "Sent to",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "converted": "Converted",
    "unsubscribed": "Unsubscribed",
    "revenue_minor": "Attributed revenue",
    "cost_minor": "Cost",
    "profit_minor": "Profit",
    "roi": "ROI",
    "incremental_conversions": "Extra conversions",
    "incremental_revenue_minor": "Extra revenue",
    "incremental_profit_minor": "Extra profit",
}
ASSUMPTIONS = {
    "delivered": "Delivery",
    "opened": "Opens",
    "clicked": "Clicks",
    "converted": "Conversions",
    "unsubscribed": "Unsubscriptions",
    "complained": "Complaints",
    "order_value": "What an order brings",
    "organic": "Who would buy anyway",
    "audience": "Role of engagement",
}
# The steps of a funnel in their order, and how each is called as a colour.
_STEPS = {
    "treated": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "converted": "converted",
}
# How far over its bar a row's words stand, in rows.
_ABOVE = 0.43
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# Of the draws in the picture of profits: the few beyond would squeeze all others.
_SHOWN = (0.005, 0.97)
_BINS = 40
_MOST = 6


def fan(table: pd.DataFrame) -> go.Figure:
    """The funnel to be expected, from a Forecast.table: the middle case and the bands of 5 and 8 in 10."""
    steps = [name for name in _STEPS if name in table.index]
    rows, places = table.loc[steps], list(range(len(steps)))
    colours = [theme.STEP_COLOURS[_STEPS[name]] for name in steps]
    hover = [
        f"<b>{FIGURES[row.Index]}</b><br>Middle case {row.p50:,.0f}"
        f"<br>8 in 10 cases {_people(row.p10, row.p90)}<br>5 in 10 cases {_people(row.p25, row.p75)}"
        for row in rows.itertuples()
    ]
    figure = go.Figure()
    figure.add_bar(
        x=rows["p50"],
        y=places,
        orientation="h",
        width=0.34,
        marker={"color": colours, "cornerradius": 3},
        opacity=0.4,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    for low, high, width in (("p10", "p90", 0.12), ("p25", "p75", 0.22)):
        figure.add_bar(
            x=rows[high] - rows[low],
            base=rows[low],
            y=places,
            orientation="h",
            width=width,
            marker={"color": colours, "cornerradius": 2},
            hoverinfo="skip",
        )
    words = [
        f"{FIGURES[row.Index]}{_GAP}<b>{row.p50:,.0f}</b>"
        + ("" if row.p10 == row.p90 else f"{_GAP}{_people(row.p10, row.p90)}")
        for row in rows.itertuples()
    ]
    _write(figure, places, words)
    _rows(figure, len(steps), 58)
    figure.update_xaxes(range=[0, max(rows["p90"].max(), 1) * 1.04], visible=False)
    return figure


def outcomes(draws: pd.Series, *, currency: str, signed: bool = True) -> go.Figure:
    """How often each profit comes out over all draws: losses and gains apart, the middle marked.

    `signed` is False for an amount that is neither, such as revenue.
    """
    major = draws.dropna() / unit(currency)
    low, high = (float(major.quantile(share)) for share in _SHOWN)
    width = max((high - low) / _BINS, 1 / unit(currency))
    # Zero is the edge of a bar, so that none is half a loss. The rarest cases beyond the ends are not drawn.
    first = np.floor(low / width)
    edges = np.arange(first, max(np.ceil(high / width), first + 1) + 1) * width
    counts, _ = np.histogram(major, edges)
    share = counts / max(len(major), 1)
    middles = (edges[:-1] + edges[1:]) / 2
    loss = middles < 0
    sign = symbol(currency)
    figure = go.Figure()
    for name, mine, colour in _sides(loss, signed):
        figure.add_bar(
            x=middles[mine],
            y=share[mine],
            width=width * 0.94,
            marker_color=colour,
            name=name,
            customdata=[
                f"{theme.compact_money(a * unit(currency), currency)} to "
                f"{theme.compact_money((a + width) * unit(currency), currency)}"
                for a in edges[:-1][mine]
            ],
            hovertemplate=f"{name} of %{{customdata}}<br><b>%{{y:.1%}}</b> of cases<extra></extra>",
        )
    middle = float(major.median())
    theme.apply(figure, height=236, top=26)
    figure.update_layout(bargap=0.05, barmode="overlay")
    figure.add_vline(x=middle, line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=middle,
        y=1.0,
        yref="paper",
        yanchor="bottom",
        text=f"middle case {theme.compact_money(middle * unit(currency), currency)}",
        showarrow=False,
    )
    figure.update_xaxes(tickprefix=sign, tickformat="~s", nticks=7, showgrid=False)
    figure.update_yaxes(visible=False, rangemode="tozero")
    return figure


def tornado(frame: pd.DataFrame, *, middle: float, currency: str, known: bool = True) -> go.Figure:
    """What each assumption alone can change, from simulation.tornado: the widest span on top, at most six.

    `middle`: profit (or revenue, where the cost is unknown: `known` is False) with all at their medians.
    """
    what = "profit" if known else "revenue"
    whole = unit(currency)
    rows = frame[frame["span_minor"] > 0.01 * max(frame["span_minor"].max(), 1)].head(_MOST)
    low, high = rows[f"{what}_low_minor"] / whole, rows[f"{what}_high_minor"] / whole
    places, middle = list(range(len(rows))), middle / whole
    figure = go.Figure()
    for ends, colour, end in ((low, theme.BAD, "low"), (high, theme.GOOD, "high")):
        figure.add_bar(
            x=ends - middle,
            base=middle,
            y=places,
            orientation="h",
            width=0.34,
            marker={"color": [_side(value, middle, colour) for value in ends], "cornerradius": 3},
            customdata=[
                (
                    escape(ASSUMPTIONS.get(row.assumption, row.assumption)),
                    _level(row.assumption, getattr(row, end)),
                    theme.compact_money(value * whole, currency),
                )
                for row, value in zip(rows.itertuples(), ends, strict=True)
            ],
            hovertemplate=f"%{{customdata[0]}} at %{{customdata[1]}}<br>{what.capitalize()} "
            "<b>%{customdata[2]}</b><extra></extra>",
        )
    words = [
        f"{escape(ASSUMPTIONS.get(row.assumption, row.assumption))}{_GAP}"
        f"<b>{_level(row.assumption, row.low)} to {_level(row.assumption, row.high)}</b>{_GAP}"
        f"{theme.compact_money(a * whole, currency)} to {theme.compact_money(b * whole, currency)}"
        for row, a, b in zip(rows.itertuples(), low, high, strict=True)
    ]
    least, most = min([*low, *high, middle]), max([*low, *high, middle])
    pad = (most - least) * 0.04 or 1
    _write(figure, places, words, at=least - pad)
    _rows(figure, len(rows), 54, axis=24)
    _mark(figure, middle, places)
    figure.update_xaxes(
        range=[least - pad, most + pad],
        tickprefix=symbol(currency),
        tickformat="~s",
        nticks=6,
        showgrid=False,
    )
    return figure


def differences(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """What each scenario brings more than the plan (name, p10, p25, p50, p75, p90 in minor units)."""
    whole, places = unit(currency), list(range(len(frame)))
    figure = go.Figure()
    for low, high, width in (("p10", "p90", 4), ("p25", "p75", 10)):
        for place, row in zip(places, frame.to_dict("records"), strict=True):
            figure.add_scatter(
                x=[row[low] / whole, row[high] / whole],
                y=[place, place],
                mode="lines",
                line={"color": theme.BRAND, "width": width},
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=frame["p50"] / whole,
        y=places,
        mode="markers",
        marker={"color": theme.BRAND, "size": 13, "line": {"color": "#FFFFFF", "width": 2}},
        customdata=[
            (
                escape(row.name),
                _money(row.p50, currency),
                _money(row.p10, currency),
                _money(row.p90, currency),
            )
            for row in frame.itertuples(index=False)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>Middle case %{customdata[1]}"
        "<br>8 in 10 cases %{customdata[2]} to %{customdata[3]}<extra></extra>",
    )
    ends = [0.0, *(frame[["p10", "p90"]].to_numpy().ravel() / whole)]
    pad = (max(ends) - min(ends)) * 0.05 or 1
    words = [
        f"{escape(row.name)}{_GAP}<b>{_money(row.p50, currency)}</b>{_GAP}"
        f"{_money(row.p10, currency)} to {_money(row.p90, currency)}"
        for row in frame.itertuples(index=False)
    ]
    _write(figure, places, words, at=min(ends) - pad)
    _rows(figure, len(frame), 62, axis=24)
    _mark(figure, 0.0, places)
    figure.update_xaxes(
        range=[min(ends) - pad, max(ends) + pad], tickprefix=symbol(currency), tickformat="~s", nticks=6
    )
    return figure


def _sides(loss: np.ndarray, signed: bool) -> list[tuple[str, np.ndarray, str]]:
    if not signed:
        return [("Amount", np.ones_like(loss), theme.BRAND)]
    return [("Loss", loss, theme.BAD), ("Gain", ~loss, theme.GOOD)]


def _people(low: float, high: float) -> str:
    return f"{low:,.0f} to {high:,.0f}"


def _money(minor: float, currency: str) -> str:
    return ("+" if minor > 0 else "") + theme.compact_money(minor, currency)


def _level(assumption: str, value: float) -> str:
    """An assumption's value in words: rates in percent, the others as parts of what is assumed."""
    if assumption in ("order_value", "organic", "audience"):
        return f"×{value:.2g}"
    return theme.percent(value, 1 if value >= 0.01 else 2)


def _side(value: float, middle: float, colour: str) -> str:
    if abs(value - middle) < 1e-9:
        return colour
    return theme.GOOD if value > middle else theme.BAD


def _write(figure: go.Figure, places: list[int], texts: list[str], *, at: float = 0.0) -> None:
    """Each row's words, over its bar: they need no room beside it, on a telephone either."""
    figure.add_scatter(
        x=[at] * len(texts),
        y=[place - _ABOVE for place in places],
        mode="text",
        text=texts,
        textposition="middle right",
        textfont={"size": 13},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _mark(figure: go.Figure, x: float, places: list[int]) -> None:
    """A line at one value along every bar, not through the words above it."""
    figure.add_scatter(
        x=[x, x, None] * len(places),
        y=[end for place in places for end in (place - 0.24, place + 0.3, None)],
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 2},
        hoverinfo="skip",
    )


def _rows(figure: go.Figure, count: int, height: int, *, axis: int = 0) -> None:
    theme.apply(figure, height=height * max(count, 1) + 20 + axis)
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(visible=False, range=[count - 0.6, -0.75])
