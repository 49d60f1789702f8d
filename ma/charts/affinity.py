"""What is bought together, as a matrix of lifts."""

import math
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

# Items of a matrix that stays readable; pairs beyond are in the table.
MOST_ITEMS = 14
# Cells look the same in both themes: below 1, as often as by chance, above 1.
_BELOW, _CHANCE, _ABOVE = theme.ORANGE, "#ECECEE", theme.BRAND
_INK, _QUIET = "#1E2233", "#6B7285"
_LONGEST = 18
# Twice (or half) as often as by chance has the full colour.
_FULL = math.log(2.0)
_DARK = 0.62


def matrix(frame: pd.DataFrame) -> go.Figure:
    """How many times as often as by chance two items have the same customers; every pair once.

    `frame`: rows of analytics.category_affinity.affinity. Coloured only where the interval leaves out 1.
    The items are those with the clearest pairs, the ones with the most customers first.
    """
    items = shown_items(frame)
    pairs = {frozenset((row.item_a, row.item_b)): row for row in frame.itertuples()}
    size = len(items)
    z = [[None] * size for _ in items]
    told = [[""] * size for _ in items]
    words = []
    for column, a in enumerate(items):
        for row, b in enumerate(items[column + 1 :], start=column + 1):
            if (pair := pairs.get(frozenset((a, b)))) is None:
                continue
            strength = _strength(pair)
            z[row][column], told[row][column] = strength, _hover(pair)
            colour = "#FFFFFF" if abs(strength) >= _DARK else _INK if strength else _QUIET
            words.append((column, row, f"{pair.lift:.2f}", colour))
    figure = go.Figure(
        go.Heatmap(
            z=z,
            x=list(range(size)),
            y=list(range(size)),
            zmin=-1,
            zmax=1,
            colorscale=[[0, _BELOW], [0.5, _CHANCE], [1, _ABOVE]],
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=told,
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
        )
    )
    for colour in ("#FFFFFF", _INK, _QUIET):
        mine = [word for word in words if word[3] == colour]
        figure.add_scatter(
            x=[word[0] for word in mine],
            y=[word[1] for word in mine],
            mode="text",
            text=[word[2] for word in mine],
            textfont={"size": 12 if size <= 10 else 11, "color": colour},
            hoverinfo="skip",
        )
    theme.apply(figure, height=32 * max(size - 1, 1) + 110)
    names = [_short(item) for item in items]
    axis = {"tickmode": "array", "showgrid": False, "fixedrange": True, "ticktext": names}
    figure.update_xaxes(**axis, tickvals=list(range(size)), range=[-0.5, size - 1.5], tickangle=-35)
    figure.update_yaxes(**axis, tickvals=list(range(size)), range=[size - 0.5, 0.5])
    return figure


def shown_items(frame: pd.DataFrame) -> list:
    """The items of the matrix."""
    clear = (frame["low"] > 1.0) | (frame["high"] < 1.0)
    far = (frame["lift"].clip(lower=0.01).map(math.log)).abs()
    ordered = frame.assign(clear=clear, far=far).sort_values(["clear", "far"], ascending=False, kind="stable")
    names = pd.unique(ordered[["item_a", "item_b"]].to_numpy().ravel())[:MOST_ITEMS]
    customers = dict(zip(frame["item_a"], frame["customers_a"], strict=True))
    customers |= dict(zip(frame["item_b"], frame["customers_b"], strict=True))
    return sorted(names, key=lambda name: (-customers[name], str(name)))


def _strength(pair) -> float:
    """From -1 to 1; 0 where chance alone could make the lift."""
    if pair.low <= 1.0 <= pair.high:
        return 0.0
    return max(-1.0, min(1.0, math.log(max(pair.lift, 0.01)) / _FULL))


def _hover(pair) -> str:
    verdict = (
        "no more often than by chance, as far as can be told"
        if pair.low <= 1.0 <= pair.high
        else "more often than by chance"
        if pair.low > 1.0
        else "less often than by chance"
    )
    return (
        f"<b>{escape(str(pair.item_a))}</b> and <b>{escape(str(pair.item_b))}</b><br>"
        f"Lift {pair.lift:.2f} ({pair.low:.2f}–{pair.high:.2f}): {verdict}<br>"
        f"{pair.both:,} customers bought both, {pair.expected:,.0f} were to be expected<br>"
        f"{pair.customers_a:,} and {pair.customers_b:,} bought each, of {pair.customers:,}"
    )


def _short(name: object) -> str:
    text = str(name)
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…")
