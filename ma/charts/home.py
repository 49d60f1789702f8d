"""What Home draws: the channels' parts, and the best and worst campaigns."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

MIX = {"sent": "Messages sent", "revenue_minor": "Attributed revenue", "conversion_rate": "Conversion rate"}
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# How far over its bar or dot a row's words stand, in rows.
_ABOVE = 0.42
_LONGEST = 30


def channel_mix(frame: pd.DataFrame, *, measure: str, currency: str) -> go.Figure:
    """Sorted bars of one measure (of MIX) of an analytics.channel_mix frame; unknown ones are left out."""
    shown = frame[frame[measure].notna()].sort_values(measure, ascending=False)
    places = list(range(len(shown)))
    values = shown[measure] / (unit(currency) if measure == "revenue_minor" else 1)
    rate = measure == "conversion_rate"
    figure = go.Figure(
        go.Bar(
            x=values,
            y=places,
            orientation="h",
            width=0.4,
            marker={"color": [theme.CHANNEL_COLOURS[c] for c in shown["channel"]], "cornerradius": 3},
            error_x=_whiskers(values, shown["low"], shown["high"]) if rate else None,
            customdata=[_told(row, currency) for row in shown.itertuples()],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]}"
            "<br>%{customdata[3]}<extra></extra>",
        )
    )
    said = [
        f"{theme.CHANNEL_LABELS[row.channel]}{_GAP}<b>{_value(row, measure, currency)}</b>"
        f"{_part(row, measure)}"
        for row in shown.itertuples()
    ]
    _write(figure, places, said, at=0.0)
    low = min([0.0, *values])
    ends = [*values, *(shown["high"].fillna(0.0) if rate else [])]
    _rows(figure, len(places))
    figure.update_xaxes(visible=False, range=[low * 1.04, max([*ends, 0.0001]) * 1.04])
    return figure


def _value(row, measure: str, currency: str) -> str:
    if measure == "conversion_rate":
        return theme.percent_between(row.conversion_rate, row.low, row.high)
    value = getattr(row, measure)
    return theme.compact_money(value, currency) if measure == "revenue_minor" else theme.compact(value)


def _part(row, measure: str) -> str:
    share = {"sent": row.sent_share, "revenue_minor": row.revenue_share}.get(measure, float("nan"))
    return f"{_GAP}{theme.percent(share, 0)}" if share == share else ""


def _told(row, currency: str) -> tuple[str, str, str, str]:
    campaigns = f"{row.campaigns:,} campaign{'' if row.campaigns == 1 else 's'}"
    return (
        theme.CHANNEL_LABELS[row.channel],
        f"Sent {row.sent:,.0f} in {campaigns}",
        f"Attributed revenue {amount(row.revenue_minor, currency)}",
        f"{row.converted:,.0f} of {row.reached:,.0f} converted, "
        f"{theme.percent_between(row.conversion_rate, row.low, row.high, 2)}",
    )


def best_worst(best: pd.DataFrame, worst: pd.DataFrame, *, currency: str) -> go.Figure:
    """Dots with 95 % intervals of rows of an analytics.best_worst frame; customdata[0] is the campaign's id.

    The best stand above, the worst below a gap, each in the colour of its channel.
    """
    rows = pd.concat([best, worst], ignore_index=True)
    places = [i + (0.7 if i >= len(best) and len(best) else 0.0) for i in range(len(rows))]
    major = unit(currency)
    figure = go.Figure(
        go.Scatter(
            x=rows["value"] / major,
            y=places,
            mode="markers",
            marker={
                "color": [theme.CHANNEL_COLOURS[c] for c in rows["channel"]],
                "size": 12,
                "opacity": 1,
            },
            error_x=_whiskers(rows["value"] / major, rows["low"] / major, rows["high"] / major),
            customdata=[_story(row, currency) for row in rows.itertuples()],
            hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}"
            "<br>%{customdata[4]}<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    ends = [0.0, *(rows["low"] / major), *(rows["high"] / major)]
    pad = (max(ends) - min(ends)) * 0.03 or 1.0
    said = [
        f"{escape(_cut(row.name))}{_GAP}<b>{theme.compact_money(round(row.value), currency)}</b>"
        for row in rows.itertuples()
    ]
    # Annotations: a selection would make a trace's words pale.
    figure.update_layout(
        annotations=[
            {
                "x": min(ends) - pad,
                "y": place - _ABOVE,
                "text": text,
                "xanchor": "left",
                "yanchor": "middle",
                "showarrow": False,
                "font": {"size": 13},
            }
            for place, text in zip(places, said, strict=True)
        ]
    )
    # The zero line keeps out of the words.
    figure.add_scatter(
        x=[0.0, 0.0, None] * len(places),
        y=[end for place in places for end in (place - 0.2, place + 0.3, None)],
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 1.5},
        hoverinfo="skip",
    )
    _rows(figure, len(rows) + (0.7 if len(best) and len(worst) else 0), axis=26)
    figure.update_xaxes(
        range=[min(ends) - pad, max(ends) + pad],
        tickprefix=symbol(currency),
        tickformat="~s" if max(map(abs, ends)) >= 1_000 else ",.2~f",
        nticks=5,
    )
    return figure


def _story(row, currency: str) -> tuple:
    name = {"profit_minor": "Profit"}.get(row.measure, "Revenue per recipient")
    value, low, high = (amount(round(v), currency) for v in (row.value, row.low, row.high))
    return (
        int(row.campaign_id),
        escape(row.name),
        f"{name} {value} (95 %: {low} to {high})",
        f"Revenue {amount(row.revenue_minor, currency)}, cost {amount(row.cost_minor, currency)}",
        f"{row.converted:,.0f} of {row.sent:,.0f} people converted",
    )


def _whiskers(values: pd.Series, low: pd.Series, high: pd.Series) -> dict:
    return {
        "type": "data",
        "symmetric": False,
        "array": (high - values).clip(lower=0.0),
        "arrayminus": (values - low).clip(lower=0.0),
        "thickness": 2,
        "width": 5,
        "color": theme.NEUTRAL,
    }


def _write(figure: go.Figure, places: list[float], texts: list[str], *, at: float) -> None:
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


def _rows(figure: go.Figure, count: float, *, axis: int = 0) -> None:
    theme.apply(figure, height=round(50 * max(count, 1)) + 20 + axis)
    figure.update_yaxes(visible=False, range=[count - 0.55, -0.75])


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…"
