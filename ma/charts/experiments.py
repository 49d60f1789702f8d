"""What tests show: dots with whiskers, one row for each arm or comparison, and the line of no difference."""

from collections.abc import Callable
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

FIGURES = {
    "converted": "Converted",
    "clicked": "Clicked",
    "opened": "Opened",
    "unsubscribed": "Unsubscribed",
    "revenue_minor": "Revenue per person",
}
# In "Difference in …".
NOUNS = {
    "converted": "conversions",
    "clicked": "clicks",
    "opened": "opens",
    "unsubscribed": "unsubscribes",
    "revenue_minor": "revenue per person",
}
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# How far over its dot a row's words stand, in rows.
_ABOVE = 0.36
# Two-sided; as analytics has it.
_CLEAR = 0.05
_LONGEST = 30


def arms(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """One figure of the arms of a test, from rows of `experiment_variants`: value and 95 % interval."""
    money = (frame["figure"] == "revenue_minor").all()
    scale = 1.0 / unit(currency) if money else 100.0
    words = _amount(currency) if money else _percent
    said = [
        f"{row.label}{_GAP}<b>{words(row.value)}</b>{_interval(row.low, row.high, words)}"
        for row in frame.itertuples()
    ]
    hover = [
        f"<b>{escape(row.label)}</b><br>{words(row.value)}{_interval(row.low, row.high, words)}"
        f"<br>{row.people:,.0f} people"
        for row in frame.itertuples()
    ]
    colours = [theme.NEUTRAL if row.label == "Held out" else theme.BRAND for row in frame.itertuples()]
    shown = frame[["value", "low", "high"]] * scale
    figure = _dots(shown.set_axis(["at", "low", "high"], axis=1), said, hover, colours)
    low, high = _range(shown)
    return _axis(figure, max(low, 0.0) if not money else low, high, currency if money else None)


def differences(frame: pd.DataFrame, *, currency: str, names: bool = False) -> go.Figure:
    """Differences from rows of `experiment_differences` of one figure, with zero; percentage points or money.

    `names`: the rows are of several campaigns and say which. A filled dot is over and clear of chance, a ring
    is not over or within chance, a cross is of a test whose people are not split as planned.
    """
    money = (frame["figure"] == "revenue_minor").all()
    scale = 1.0 / unit(currency) if money else 100.0
    words = _signed(_amount(currency)) if money else _points
    said, hover, colours, symbols = [], [], [], []
    for row in frame.itertuples():
        colour, mark, state = _state(row)
        of = row.name if not names or len(row.name) <= _LONGEST else f"{row.name[: _LONGEST - 1]}…"
        name = f"{row.name}: {row.comparison}" if names else row.comparison
        # On a telephone a campaign's name fills the line.
        short = f"{escape(of)}: {row.comparison}<br>" if names else f"{row.comparison}{_GAP}"
        said.append(f"{short}<b>{words(row.difference)}</b>{_interval(row.low, row.high, words)}")
        values = _amount(currency) if money else _percent
        hover.append(
            f"<b>{escape(name)}</b><br>{values(row.value_b)} against {values(row.value_a)}"
            f"<br>Difference {words(row.difference)}{_interval(row.low, row.high, words)}"
            f"<br>{row.people_b:,.0f} against {row.people_a:,.0f} people<br>{state}"
        )
        colours.append(colour)
        symbols.append(mark)
    shown = frame[["difference", "low", "high"]] * scale
    shape = {"symbols": symbols, "row_height": 82 if names else 56}
    figure = _dots(shown.set_axis(["at", "low", "high"], axis=1), said, hover, colours, **shape)
    low, high = _range(shown)
    low, high = min(low, 0.0), max(high, 0.0)
    places = range(len(frame))
    # In pieces: through the words it could not be read.
    figure.add_scatter(
        x=[0.0, 0.0, None] * len(frame),
        y=[end for place in places for end in (place - 0.2, place + 0.3, None)],
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    return _axis(figure, low, high, currency if money else None)


def _state(row) -> tuple[str, str, str]:
    """Colour, mark and words of a difference."""
    if row.sample_ratio == "alarm":
        return theme.NEUTRAL, "x-thin-open", "Not to be believed: people are not split as planned"
    clear = row.p_adjusted < _CLEAR
    chance = f"p = {row.p_adjusted:.2g}" if row.p_adjusted == row.p_adjusted else "p unknown"
    if not row.over:
        return theme.NEUTRAL, "circle-open", f"Not over ({chance} so far)"
    if not clear:
        return theme.NEUTRAL, "circle-open", f"No difference found ({chance})"
    good = (row.difference > 0) != (row.figure == "unsubscribed")
    return theme.GOOD if good else theme.BAD, "circle", f"Difference found ({chance})"


def _dots(
    rows: pd.DataFrame,
    said: list[str],
    hover: list[str],
    colours: list[str],
    symbols: list[str] | None = None,
    *,
    row_height: int = 56,
) -> go.Figure:
    """A row each: whisker from low to high, dot, and the words over them. The first row stands at the top."""
    places = list(range(len(rows)))
    figure = go.Figure()
    for place, row, colour in zip(places, rows.itertuples(), colours, strict=True):
        figure.add_scatter(
            x=[row.low, row.high],
            y=[place, place],
            mode="lines",
            line={"color": colour, "width": 3},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=rows["at"],
        y=places,
        mode="markers",
        marker={
            "color": colours,
            "symbol": symbols or "circle",
            "size": 12,
            "line": {"color": colours, "width": 2.5},
        },
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.add_scatter(
        x=[0.0] * len(places),
        xaxis="x2",
        y=[place - _ABOVE for place in places],
        mode="text",
        text=said,
        textposition="middle right",
        textfont={"size": 13},
        hoverinfo="skip",
        cliponaxis=False,
    )
    theme.apply(figure, height=row_height * max(len(rows), 1) + 44)
    # The words begin at the left edge, whatever the values are.
    figure.update_layout(xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True})
    figure.update_yaxes(visible=False, range=[len(rows) - 0.55, -0.7])
    return figure


def _axis(figure: go.Figure, low: float, high: float, currency: str | None) -> go.Figure:
    pad = (high - low) * 0.05 or 1.0
    begin = low if low == 0.0 else low - pad
    figure.update_layout(xaxis={"range": [begin - pad * 0.4, high + pad], "nticks": 6})
    if currency:
        figure.update_layout(
            xaxis={
                "tickprefix": symbol(currency),
                "tickformat": "~s" if high - low >= 1_000 else ",.2~f",
            }
        )
    else:
        figure.update_layout(xaxis={"tickformat": ",.2~f", "ticksuffix": ""})
    return figure


def _range(shown: pd.DataFrame) -> tuple[float, float]:
    ends = shown.to_numpy(float).ravel()
    ends = ends[ends == ends]
    return (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)


def _interval(low: float, high: float, words: Callable[[float], str]) -> str:
    return f"{_GAP}{words(low)} to {words(high)}" if low == low else f"{_GAP}how sure is unknown"


def _percent(value: float) -> str:
    return theme.percent(value, 2 if 0.0 < abs(value) < 0.00995 else 1)


def _points(value: float) -> str:
    digits = 2 if 0.0 < abs(value) < 0.00995 else 1
    return "–" if value != value else f"{value * 100:+.{digits}f} pp"


def _amount(currency: str) -> Callable[[float], str]:
    return lambda minor: amount(minor, currency)


def _signed(words: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: ("+" if value > 0 else "") + words(value)
