"""Cohorts as a heat map, and the average course of their retention."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

# Cells look the same in both themes; from this share of the scale on they are so dark that words are white.
_PALE, _HATCH, _INK = "#E4E6F9", "#B9BFEF", "#1E2233"
_DARK = 0.72
# Up to so many columns a cell has room for words, and up to so many for large ones.
_MOST_WORDS, _FEW = 26, 14
_ROOM = "\N{NO-BREAK SPACE}" * 2


def heat_map(frame: pd.DataFrame, *, measure: str, currency: str) -> go.Figure:
    """A row for each cohort, a column for each month after the first purchase, darker for more.

    `frame`: rows of `analytics.cohorts.cohorts`; `measure` one of its MEASURES. Retention begins with month
    1, as in month 0 it is 1 by definition. The month that is not over is hatched and outside the scale, which
    ends at the highest figure of a whole month. Months to come are empty.
    """
    shown = frame[frame["month_number"] > 0] if measure == "retention" else frame
    # The newest cohorts have no month behind them; they keep their row.
    cohorts = list(dict.fromkeys(frame["cohort"]))
    row_of = {cohort: row for row, cohort in enumerate(cohorts)}
    columns = list(range(int(measure == "retention"), int(frame["month_number"].max()) + 1)) or [1]
    few = len(columns) <= _FEW
    words = len(columns) <= _MOST_WORDS
    values = shown[measure].astype(float) / (unit(currency) if measure.endswith("_minor") else 1)
    whole = shown["complete"].astype(bool)
    top = float(values[whole].max()) if whole.any() else 0.0
    low = min(float(values[whole].min()), 0.0) if whole.any() else 0.0
    figure = go.Figure()
    figure.add_trace(_cells(shown[whole], values[whole], row_of, columns, low, top or 1.0, measure, currency))
    _unfinished(figure, shown[~whole], row_of, measure, currency)
    if words:
        said = [_words(value, measure) for value in values]
        dark = whole & ((values - low) / ((top - low) or 1.0) >= _DARK)
        for colour, mine in (("#FFFFFF", dark), (_INK, ~dark)):
            places = np.flatnonzero(mine.to_numpy())
            figure.add_scatter(
                x=shown["month_number"].to_numpy()[places],
                y=[row_of[shown["cohort"].iloc[place]] for place in places],
                mode="text",
                text=[said[place] for place in places],
                textfont={"size": 12 if few else 10, "color": colour},
                hoverinfo="skip",
            )
    theme.apply(figure, height=26 * len(cohorts) + 58, top=40)
    sizes = frame.groupby("cohort")["cohort_customers"].first()
    names = [f"{cohort:%b %Y}{_ROOM}<b>{theme.compact(sizes[cohort])}</b>{_ROOM}" for cohort in cohorts]
    axis = {"tickmode": "array", "showgrid": False, "fixedrange": True}
    figure.update_layout(bargap=0, barmode="overlay")
    figure.update_xaxes(
        **axis,
        side="top",
        tickvals=columns[:: 1 if words else 3],
        ticktext=[str(number) for number in columns[:: 1 if words else 3]],
        range=[columns[0] - 0.5, columns[-1] + 0.5],
        title={"text": "Months after the first purchase", "font": {"size": 12}, "standoff": 4},
    )
    figure.update_yaxes(
        **axis, tickvals=list(row_of.values()), ticktext=names, range=[len(cohorts) - 0.5, -0.5]
    )
    return figure


def _cells(shown, values, row_of: dict, columns: list[int], low, top, measure: str, currency: str):
    grid = np.full((len(row_of), len(columns)), np.nan)
    told = np.full(grid.shape, "", dtype=object)
    for row, value in zip(shown.itertuples(), values, strict=True):
        place = row_of[row.cohort], row.month_number - columns[0]
        grid[place], told[place] = value, _hover(row, measure, currency)
    return go.Heatmap(
        z=grid,
        x=columns,
        y=list(row_of.values()),
        zmin=low,
        zmax=top,
        colorscale=[[0, _PALE], [1, theme.BRAND]],
        showscale=False,
        xgap=2,
        ygap=2,
        customdata=told,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
    )


def _unfinished(figure: go.Figure, shown: pd.DataFrame, row_of: dict, measure: str, currency: str) -> None:
    """The cells of the month that is not over, hatched: a heat map knows no patterns, so they are bars."""
    figure.add_bar(
        x=[0.94] * len(shown),
        base=(shown["month_number"] - 0.47).tolist(),
        y=[row_of[cohort] for cohort in shown["cohort"]],
        width=0.9,
        orientation="h",
        marker={
            "color": _PALE,
            "line": {"width": 0},
            "pattern": {"shape": "/", "bgcolor": _PALE, "fgcolor": _HATCH, "solidity": 0.18, "size": 7},
        },
        customdata=[_hover(row, measure, currency) for row in shown.itertuples()],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _hover(row, measure: str, currency: str) -> str:
    money, so_far = measure.endswith("_minor"), row.cumulative_revenue_per_customer_minor
    figure = {
        "retention": f"{theme.percent(row.retention)} of the cohort bought",
        "customers": f"{row.customers:,} customers bought",
        "orders": f"{row.orders:,} orders",
        "revenue_minor": f"{amount(row.revenue_minor, currency)} revenue",
        "cumulative_revenue_per_customer_minor": f"{amount(so_far, currency)} per customer up to here",
    }[measure]
    n = f"{row.customers:,} of {row.cohort_customers:,} customers bought"
    lines = [
        f"<b>{figure}</b>",
        f"First purchase {row.cohort:%b %Y}, {_after(row.month_number)} ({row.month:%b %Y})",
        f"{row.orders:,} orders, {n}" if money else n,
        *([] if row.complete else ["The month is not over: so far"]),
    ]
    return "<br>".join(lines)


def _after(months: int) -> str:
    return "the same month" if months == 0 else f"{months} month{'' if months == 1 else 's'} later"


def _words(value: float, measure: str) -> str:
    return f"{value * 100:.0f}" if measure == "retention" else theme.compact(value)


def curve(frame: pd.DataFrame) -> go.Figure:
    """The average retention with its 95 % interval, from an `analytics.cohorts.curve_of` frame."""
    figure = go.Figure()
    months = frame["month_number"].tolist()
    for name, line in (("high", {"width": 0}), ("low", {"width": 0})):
        figure.add_scatter(
            x=months,
            y=frame[name],
            mode="lines",
            line=line,
            fill="tonexty" if name == "low" else None,
            fillcolor="rgba(79, 91, 213, 0.18)",
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=months,
        y=frame["retention"],
        mode="lines+markers",
        line={"color": theme.BRAND, "width": 2.5},
        marker={"size": 7},
        customdata=[
            (
                _after(row.month_number),
                f"{theme.percent(row.low)} to {theme.percent(row.high)}",
                f"{row.customers:,} of {row.cohort_customers:,} customers",
                f"{row.cohorts} cohort{'' if row.cohorts == 1 else 's'}",
            )
            for row in frame.itertuples()
        ],
        hovertemplate="<b>%{y:.1%}</b> bought %{customdata[0]}<br>95 % interval %{customdata[1]}"
        "<br>%{customdata[2]} of %{customdata[3]}<extra></extra>",
    )
    theme.apply(figure, height=280)
    figure.update_yaxes(rangemode="tozero", tickformat=".0%", nticks=5)
    figure.update_xaxes(
        showgrid=False,
        title={"text": "Months after the first purchase", "font": {"size": 12}},
        dtick=1 if len(months) <= 14 else 3,
    )
    return figure


def unit_words(measure: str, currency: str) -> str:
    """The unit of the numbers in a heat map's cells."""
    if measure == "retention":
        return "% of the cohort"
    if not measure.endswith("_minor"):
        return "number"
    return f"in {symbol(currency).strip()}"
