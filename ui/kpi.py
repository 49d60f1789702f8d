"""KPI cards: value, change in words, sparkline."""

import math
from collections.abc import Sequence

import streamlit as st

from ma.charts import theme
from ui.text import literal


def shown_value(value: float, unit: str, currency: str) -> str:
    """A figure as a card shows it: compact, with its unit; – where unknown."""
    if unit == "minor":
        return literal(theme.compact_money(value, currency))
    if unit in ("rate", "ratio"):
        return theme.percent(value, 1 if unit == "rate" else 0)
    return theme.compact(value)


def change(value: float, unit: str) -> str | None:
    """A change as a card shows it: percent for people and money, percentage points for rates."""
    if math.isnan(value):
        return None
    if unit in ("rate", "ratio"):
        return f"{value * 100:+.1f} pp"
    return f"{value * 100:+.1f} %"


def card(
    label: str,
    value: float,
    unit: str,
    *,
    currency: str,
    change_value: float = float("nan"),
    interval: tuple[float, float] = (math.nan, math.nan),
    spark: Sequence[float] | None = None,
    help: str | None = None,
    against: str = "",
) -> None:
    """One card. The sparkline is left out where there are fewer than three points.

    `interval`: the lower and upper end of a rate, where it is an estimate.
    """
    points = [float(v) for v in spark if not math.isnan(v)] if spark is not None else []
    st.metric(
        label,
        shown_value(value, unit, currency) + _between(*interval),
        delta=change(change_value, unit),
        delta_description=against if not math.isnan(change_value) else None,
        help=help,
        chart_data=points if len(points) >= 3 else None,
        chart_type="area",
        height="stretch",
    )


def _between(low: float, high: float) -> str:
    """The interval of a rate, beside it and smaller: (2.9–3.5)."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" :small[:gray[({low * 100:.1f}–{high * 100:.1f})]]"
