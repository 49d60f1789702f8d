"""A campaign as it was beside what it would have been: both funnels, and differences with their intervals."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import symbol, unit

FIGURES = {
    "sent": "Sent to",
    "bounced": "Bounced",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "converted": "Converted",
    "caused": "Converted, led by the message",
    "unsubscribed": "Unsubscribed",
    "complained": "Complained",
    "revenue_minor": "Attributed revenue",
    "cost_minor": "Cost",
    "profit_minor": "Profit",
    "roi": "ROI",
    "everybody_converted": "Bought, sent it or not",
    "everybody_revenue_minor": "Revenue, sent it or not",
    "everybody_profit_minor": "Revenue, sent it or not, less cost",
}
# The steps of the funnel, and the colour of each. As on the campaign's screen, without organic conversions.
_STEPS = {"sent": "sent", "delivered": "delivered", "opened": "opened", "clicked": "clicked",
          "caused": "converted"}  # fmt: skip
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# How far over its bars a row's words stand, in rows.
_ABOVE = 0.45


def funnels(table: pd.DataFrame) -> go.Figure:
    """Two bars for each step of a Replay's table: as it was (pale), and as it would have been."""
    steps = [name for name in _STEPS if name in table.index]
    rows, places = table.loc[steps], list(range(len(steps)))
    colours = [theme.STEP_COLOURS[_STEPS[name]] for name in steps]
    labels = [theme.STEP_LABELS[_STEPS[name]] for name in steps]
    figure = go.Figure()
    for column, shift, opacity, words in (
        ("base", -0.11, 0.4, "As it was"),
        ("changed", 0.14, 1.0, "With the change"),
    ):
        figure.add_bar(
            x=rows[column],
            y=[place + shift for place in places],
            orientation="h",
            width=0.22,
            opacity=opacity,
            marker={"color": colours, "cornerradius": 3},
            customdata=labels,
            hovertemplate=f"<b>%{{customdata}}</b><br>{words}: %{{x:,.0f}} people<extra></extra>",
        )
    said = [
        f"{label}{_GAP}{row.base:,.0f}"
        + ("" if row.base == row.changed else f" → <b>{row.changed:,.0f}</b>{_GAP}{row.difference:+,.0f}")
        for label, row in zip(labels, rows.itertuples(), strict=True)
    ]
    _write(figure, places, said)
    _rows(figure, len(steps), 58)
    figure.update_xaxes(range=[0, max(rows[["base", "changed"]].to_numpy().max(), 1) * 1.04], visible=False)
    return figure


def people(table: pd.DataFrame) -> go.Figure:
    """How many more people take each step, with the 95 % interval."""
    names = ["delivered", "opened", "clicked", "caused", "unsubscribed", "everybody_converted"]
    return _differences(table.loc[[name for name in names if name in table.index]], "{:+,.0f}".format)


def money(table: pd.DataFrame, *, currency: str) -> go.Figure:
    """How much more each amount is, with the 95 % interval; what is unknown is left out."""
    names = ["revenue_minor", "cost_minor", "profit_minor", "everybody_revenue_minor",
             "everybody_profit_minor"]  # fmt: skip
    rows = table.loc[[name for name in names if name in table.index]].dropna(subset=["difference"])
    columns = ["difference", "low", "high"]
    major = rows.assign(**{name: rows[name] / unit(currency) for name in columns})

    def words(value: float) -> str:
        return ("+" if value > 0 else "") + theme.compact_money(value * unit(currency), currency)

    figure = _differences(major, words)
    low, high = figure.layout.xaxis.range
    # Below a thousand the letters of ~s would be thousandths.
    figure.update_xaxes(tickprefix=symbol(currency), tickformat="~s" if high - low >= 1_000 else ",.2~f")
    return figure


def _differences(rows: pd.DataFrame, words) -> go.Figure:
    places = list(range(len(rows)))
    figure = go.Figure()
    for place, row in zip(places, rows.itertuples(), strict=True):
        figure.add_scatter(
            x=[row.low, row.high],
            y=[place, place],
            mode="lines",
            line={"color": theme.BRAND, "width": 5},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=rows["difference"],
        y=places,
        mode="markers",
        marker={"color": theme.BRAND, "size": 12, "line": {"color": "#FFFFFF", "width": 2}},
        customdata=[
            (FIGURES[row.Index], words(row.difference), words(row.low), words(row.high))
            for row in rows.itertuples()
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>Difference %{customdata[1]}"
        "<br>95 % interval %{customdata[2]} to %{customdata[3]}<extra></extra>",
    )
    ends = [0.0, *rows[["difference", "low", "high"]].fillna(0.0).to_numpy().ravel()]
    pad = (max(ends) - min(ends)) * 0.05 or 1
    said = [
        f"{FIGURES[row.Index]}{_GAP}<b>{words(row.difference)}</b>"
        + (f"{_GAP}{words(row.low)} to {words(row.high)}" if row.low < row.high else "")
        for row in rows.itertuples()
    ]
    _write(figure, places, said, at=min(ends) - pad)
    figure.add_scatter(
        x=[0.0, 0.0, None] * len(places),
        y=[end for place in places for end in (place - 0.22, place + 0.28, None)],
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 2},
        hoverinfo="skip",
    )
    _rows(figure, len(rows), 52, axis=24)
    figure.update_xaxes(range=[min(ends) - pad, max(ends) + pad], nticks=6)
    return figure


def _write(figure: go.Figure, places: list[int], texts: list[str], *, at: float = 0.0) -> None:
    """Each row's words, over its bars: they need no room beside them, on a telephone either."""
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


def _rows(figure: go.Figure, count: int, height: int, *, axis: int = 0) -> None:
    theme.apply(figure, height=height * max(count, 1) + 20 + axis)
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(visible=False, range=[count - 0.6, -0.75])
