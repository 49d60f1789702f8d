"""Results by a dimension: one measure for each group, as dots with intervals or as bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

# name -> (title, unit: rate, ratio, minor or people).
MEASURES = {
    "conversion_rate": ("Conversion rate", "rate"),
    "open_rate": ("Open rate", "rate"),
    "click_rate": ("Click rate", "rate"),
    "revenue_per_recipient_minor": ("Revenue per recipient", "minor"),
    "roi": ("ROI", "ratio"),
    "sent": ("People sent to", "people"),
}
# As many groups as can be told apart at a glance; the table has all of them.
MOST = 24
# How far over its bar a group's words stand, in rows.
_ABOVE = 0.4
_HEIGHT = 50
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# Bars that are still to grow are hatched: seen without colour, too.
HATCH = {"shape": "/", "size": 6, "solidity": 0.35, "fgcolor": "rgba(255, 255, 255, 0.75)"}


@dataclass(frozen=True)
class Benchmark:
    """A published rate, drawn as a thin line, and who published it."""

    value: float
    source: str


def breakdown(
    frame: pd.DataFrame,
    *,
    measure: str,
    currency: str,
    colours: Mapping[str, str] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
    chosen: str | None = None,
) -> go.Figure:
    """One row for each group of an analytics.breakdown frame, in its order; the first trace has its value.

    Rates are dots with their 95 % interval, hollow while people are inside their conversion window; other
    measures are bars, hatched as far as that is so. `colours` and `benchmarks` are by group; `chosen` is the
    group to which the other charts are narrowed. An unknown figure has no bar and says so.
    """
    shown = frame.head(MOST)
    kind = MEASURES[measure][1]
    scale = unit(currency) if kind == "minor" else 1
    rows = shown.assign(
        _x=shown[measure].astype(float) / scale,
        _low=shown.get(f"{measure}_low", pd.Series(float("nan"), index=shown.index)),
        _high=shown.get(f"{measure}_high", pd.Series(float("nan"), index=shown.index)),
        _colour=[(colours or {}).get(value, theme.BRAND) for value in shown["value"]],
        _fade=[1.0 if chosen in (None, value) else 0.4 for value in shown["value"]],
    ).reset_index(drop=True)
    lines = {place: (benchmarks or {}).get(value) for place, value in enumerate(rows["value"])}
    lines = {place: line for place, line in lines.items() if line is not None}
    ends = [0.0, *rows["_x"].dropna(), *rows["_high"].dropna(), *[line.value for line in lines.values()]]
    low, high = min(ends), max(ends)
    high = high if high > low else low + 1.0
    figure = go.Figure()
    _touch(figure, rows, measure, currency, low, high)
    if kind == "rate":
        _dots(figure, rows)
    else:
        _bars(figure, rows, measure)
    _published(figure, lines)
    _dress(figure, rows, measure, currency, low, high)
    return figure


def _touch(figure: go.Figure, rows: pd.DataFrame, measure: str, currency: str, low: float, high: float):
    """The whole row answers to the pointer and can be chosen, however small its dot or bar is."""
    figure.add_bar(
        x=[high - low] * len(rows),
        base=[low] * len(rows),
        y=list(rows.index),
        orientation="h",
        width=0.9,
        marker={"color": "rgba(135, 147, 166, 0.01)"},
        customdata=[
            (row.value, escape(row.label), *_figures(row, measure, currency)) for row in rows.itertuples()
        ],
        hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    )


def _figures(row, measure: str, currency: str) -> tuple[str, str]:
    """What the pointer finds: the figure with its interval, and of how many people it is."""
    title, kind = MEASURES[measure]
    value = getattr(row, measure)
    said = f"{title} {_said(value, kind, currency)}"
    if kind == "rate" and value == value:
        part = getattr(row, f"{measure}_base")
        low, high = (theme.percent(getattr(row, f"{measure}_{end}"), 2) for end in ("low", "high"))
        said += f", 95 % interval {low} to {high}<br>of {part:,.0f} people reached"
    if value != value:
        said = f"{title}: unknown"
    if kind == "ratio":
        said += f"<br>Cost {amount(row.cost_minor, currency)}, revenue {amount(row.revenue_minor, currency)}"
    people = f"Sent to {row.sent:,.0f} people"
    if row.immature > 0:
        people += f", {row.immature:,.0f} of them still inside their conversion window"
    return said, people


def _said(value: float, kind: str, currency: str) -> str:
    if kind == "minor":
        return amount(value, currency)
    if kind in ("rate", "ratio"):
        return theme.percent(value, 1 if kind == "rate" else 0)
    return "–" if value != value else f"{value:,.0f}"


def _dots(figure: go.Figure, rows: pd.DataFrame) -> None:
    for place, row in rows[rows["_x"].notna()].iterrows():
        figure.add_scatter(
            x=[row["_low"], row["_high"]],
            y=[place, place],
            mode="lines",
            line={"color": row["_colour"], "width": 4},
            opacity=0.6 * row["_fade"],
            hoverinfo="skip",
        )
    known = rows[rows["_x"].notna()]
    figure.add_scatter(
        x=known["_x"],
        y=list(known.index),
        mode="markers",
        marker={
            "color": known["_colour"],
            "size": 11,
            "symbol": ["circle-open" if n > 0 else "circle" for n in known["immature"]],
            "line": {"color": known["_colour"].tolist(), "width": 2.5},
            "opacity": known["_fade"],
        },
        hoverinfo="skip",
    )


def _bars(figure: go.Figure, rows: pd.DataFrame, measure: str) -> None:
    """Apart stand those whose window is open; of measures that cannot be parted the whole bar is hatched."""
    x, share = rows["_x"].fillna(0.0), rows["immature_share"].fillna(0.0)
    opened = x * share if measure == "sent" else x.where(rows["immature"] > 0, 0.0)
    marker = {"opacity": rows["_fade"], "cornerradius": 3}
    colours = rows["_colour"]
    if measure == "roi":
        colours = [theme.GOOD if value >= 0 else theme.BAD for value in x]
    places = [place + 0.08 for place in rows.index]
    shared = {"y": places, "orientation": "h", "width": 0.38, "hoverinfo": "skip"}
    figure.add_bar(x=x - opened, marker=marker | {"color": colours}, **shared)
    figure.add_bar(x=opened, base=x - opened, marker=marker | {"color": colours, "pattern": HATCH}, **shared)


def _published(figure: go.Figure, lines: Mapping[int, Benchmark]) -> None:
    if not lines:
        return
    figure.add_scatter(
        x=[x for line in lines.values() for x in (line.value, line.value, None)],
        y=[y for place in lines for y in (place - 0.16, place + 0.36, None)],
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[line.value for line in lines.values()],
        y=[place + 0.36 for place in lines],
        mode="markers",
        marker={"color": theme.NEUTRAL, "size": 7, "symbol": "diamond"},
        customdata=[(theme.percent(line.value, 2), escape(line.source)) for line in lines.values()],
        hovertemplate="Benchmark %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
    )


def _dress(figure: go.Figure, rows: pd.DataFrame, measure: str, currency: str, low: float, high: float):
    kind = MEASURES[measure][1]
    theme.apply(figure, height=_HEIGHT * max(len(rows), 1) + 34)
    figure.update_layout(
        barmode="overlay", annotations=[_words(row, measure, currency, low) for row in rows.itertuples()]
    )
    figure.update_traces(selector={"type": "bar"}, unselected={"marker": {"opacity": 1}})
    pad = (high - low) * 0.03
    figure.update_xaxes(range=[low - (pad if low < 0 else 0), high + pad], nticks=6)
    if kind in ("rate", "ratio"):
        figure.update_xaxes(tickformat=".1%" if kind == "rate" and high < 0.1 else ".0%")
    elif kind == "minor":
        figure.update_xaxes(tickprefix=symbol(currency), tickformat="~s" if high >= 1_000 else ",.2~f")
    else:
        figure.update_xaxes(tickformat="~s" if high >= 1_000 else ",d")
    if low < 0:
        figure.add_vline(x=0, line={"color": theme.NEUTRAL, "width": 1})
    figure.update_yaxes(visible=False, range=[len(rows) - 0.5, -0.75])


def _words(row, measure: str, currency: str, low: float) -> dict:
    """A group's name and figure over its bar: they need no room beside it, on a telephone either."""
    kind = MEASURES[measure][1]
    value = getattr(row, measure)
    name = row.label if len(row.label) <= 38 else row.label[:36] + "…"
    said = f"{escape(name)}{_GAP}<b>{_said(value, kind, currency)}</b>"
    if kind == "rate" and value == value:
        ends = (getattr(row, f"{measure}_{end}") for end in ("low", "high"))
        said = f"{escape(name)}{_GAP}<b>{theme.percent_between(value, *ends)}</b>"
    if value != value:
        said += " unknown"
    elif row.immature > 0 and measure != "sent":
        said += " so far"
    elif row.immature > 0:
        said += f"{_GAP}{row.immature:,.0f} inside their window"
    at = {"x": low, "y": row.Index - _ABOVE, "xanchor": "left", "yanchor": "middle", "xshift": 2}
    return at | {"text": said, "showarrow": False, "font": {"size": 13}}
