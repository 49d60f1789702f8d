"""Next best actions: what the messages of each channel and offer are expected to earn."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, unit

MOST_BARS = 12
_ROOM = "\N{NO-BREAK SPACE}" * 2
_LONGEST = 24


def profits(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Expected extra profit by channel and offer, the largest first: rows of analytics.next_actions.

    Each channel has its colour, and its name stands at every bar. Beyond MOST_BARS the rest is one bar.
    """
    rows = _rows(frame)
    whole = unit(currency)
    values = [row["profit_minor"] / whole for row in rows]
    places = list(range(len(rows)))
    figure = go.Figure(
        go.Bar(
            x=values,
            y=places,
            orientation="h",
            width=0.62,
            marker={"color": [row["colour"] for row in rows], "cornerradius": 3},
            customdata=[_hover(row, currency) for row in rows],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=values,
        y=places,
        mode="text",
        text=[
            f"{_ROOM}<b>{theme.compact_money(row['profit_minor'], currency)}</b>{_ROOM}"
            f"{theme.compact(row['people'])} people"
            for row in rows
        ],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    theme.apply(figure, height=34 * max(len(rows), 2) + 30, right=130)
    figure.update_xaxes(visible=False, range=[0, max([*values, 1e-9])])
    figure.update_yaxes(
        tickmode="array",
        tickvals=places,
        ticktext=[row["label"] for row in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    return figure


def _rows(frame: pd.DataFrame) -> list[dict]:
    rows = [
        {
            "label": escape(label(row.channel, row.offer, longest=_LONGEST)),
            "full": escape(label(row.channel, row.offer)),
            "colour": theme.CHANNEL_COLOURS[row.channel],
            "people": row.people,
            "profit_minor": row.profit_minor,
        }
        for row in frame.head(MOST_BARS).itertuples()
    ]
    rest = frame.iloc[MOST_BARS:]
    if len(rest):
        words = f"{len(rest)} more"
        people, profit = int(rest["people"].sum()), float(rest["profit_minor"].sum())
        rows.append(
            {"label": words, "full": words, "colour": theme.NEUTRAL, "people": people, "profit_minor": profit}
        )
    return rows


def label(channel: str, offer: object, *, longest: int | None = None) -> str:
    """An action in a few words: "SMS · Seafood", "E-mail · any offer"."""
    words = offer if isinstance(offer, str) else "any offer"
    if longest and len(words) > longest:
        words = words[: longest - 1].rstrip() + "…"
    return f"{theme.CHANNEL_LABELS[channel]} · {words}"


def _hover(row: dict, currency: str) -> str:
    each = amount(1_000.0 * row["profit_minor"] / row["people"], currency)
    return (
        f"<b>{row['full']}</b><br>{amount(row['profit_minor'], currency)} expected extra profit<br>"
        f"{row['people']:,} people, {each} per 1,000 of them"
    )
