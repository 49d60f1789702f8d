"""Figures of a forecast in words: exact in tables, short on cards, "–" where unknown."""

import pandas as pd

from ma.charts import theme
from ma.charts.forecast import FIGURES
from ma.money import amount
from ui.text import literal

RATIOS = ("roi",)


def exact(figure: str, value: float, currency: str) -> str:
    """A figure as a table shows it."""
    if value != value:
        return "–"
    if figure.endswith("_minor"):
        return amount(value, currency)
    return theme.percent(value, 0) if figure in RATIOS else f"{value:,.0f}"


def short(figure: str, value: float, currency: str) -> str:
    """A figure as a card shows it, safe in Markdown."""
    if figure.endswith("_minor"):
        return literal(theme.compact_money(value, currency))
    return theme.percent(value, 0) if figure in RATIOS else theme.compact(value)


def between(row: pd.Series, figure: str, currency: str) -> str:
    """The band of 8 in 10 cases: "$20 to $567"."""
    if row["p10"] != row["p10"]:
        return "–"
    low, high = (short(figure, row[name], currency) for name in ("p10", "p90"))
    return low if low == high else f"{low} to {high}"


def middle(row: pd.Series, figure: str, currency: str) -> str:
    """The middle case, and in brackets the band of 8 in 10 where there is one: "17  (8 to 33)"."""
    if row["p50"] != row["p50"]:
        return "–"
    low, high = (exact(figure, row[name], currency) for name in ("p10", "p90"))
    known = exact(figure, row["p50"], currency)
    return known if low == high else f"{known}  ({low} to {high})"


def of_hundred(chance: float) -> str:
    """A chance for people: "5 of 100 cases", "fewer than 1 of 100 cases"."""
    if chance < 0.005:
        return "fewer than 1 of 100 cases"
    return "more than 99 of 100 cases" if chance >= 0.995 else f"{chance * 100:.0f} of 100 cases"


def chance_of(chance: float) -> str:
    """A chance as a card shows it; one that no draw showed is not called impossible."""
    if chance != chance:
        return "–"
    if chance < 0.005:
        return "under 1 %"
    return "over 99 %" if chance >= 0.995 else theme.percent(chance, 0)


def shown(table: pd.DataFrame, currency: str) -> pd.DataFrame:
    """A Forecast.table for people: one row per figure, its quantiles as texts."""
    names = {"p10": "1 in 10 below", "p25": "1 in 4 below", "p50": "Middle case",
             "p75": "1 in 4 above", "p90": "1 in 10 above", "mean": "Mean"}  # fmt: skip
    rows = [
        {"Figure": FIGURES.get(row.Index, row.Index)}
        | {label: exact(row.Index, getattr(row, name), currency) for name, label in names.items()}
        for row in table.itertuples()
    ]
    return pd.DataFrame(rows)


def source(row) -> str:
    """From where an assumption comes: "22 own campaigns, 5,804 people", "Benchmark: Mailchimp 2019-10"."""
    if row.source == "benchmark":
        return f"Benchmark: {row.publisher}"
    if row.source == "assumption":
        return "Assumption: nothing is published"
    kind = "own" if row.source == "history" else "simulated"
    return f"{row.campaigns:,} {kind} campaign{'' if row.campaigns == 1 else 's'}, {row.people:,} people"
