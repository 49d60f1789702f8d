"""The look of every chart: fixed colours by meaning, one template, both themes.

The categorical colours that meet in one chart keep apart for everybody, colour-blind or not, and hold on
white and on the dark ground (tests/charts/test_palette.py says how far); colour is never the only signal.
"""

import plotly.graph_objects as go

from ma.money import amount, symbol, unit

BRAND = "#4F5BD5"
BLUE, SKY, TEAL = "#3E63AE", "#019AE8", "#088B67"
ORANGE, RED, PINK, BROWN, GREY = "#D08100", "#CA5A38", "#C978AE", "#766337", "#5E6778"
CHANNEL_COLOURS = {"email": BLUE, "sms": ORANGE, "push": TEAL, "direct_mail": PINK, "ads": BROWN}
CHANNEL_LABELS = {"email": "E-mail", "sms": "SMS", "push": "Push", "direct_mail": "Direct mail", "ads": "Ads"}
STEP_COLOURS = {"sent": GREY, "delivered": BLUE, "opened": SKY, "clicked": ORANGE, "converted": TEAL}
STEP_LABELS = {
    "sent": "Sent",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "converted": "Converted",
}
GOOD, BAD, NEUTRAL = TEAL, RED, "#8793A6"
# Whatever is compared beside each other and has no colour of its own: segments, variants, models.
SERIES_COLOURS = (BRAND, ORANGE, TEAL, PINK, SKY, GREY)
GRID = "rgba(135, 147, 166, 0.22)"
FONT = "Inter, Source Sans, system-ui, sans-serif"

# Shared by every figure shown in the app: no tool bar, pictures on demand from the app's own menu.
CONFIG = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def apply(figure: go.Figure, *, height: int, left: int = 8, right: int = 8, top: int = 8) -> go.Figure:
    """The figure with the shared look: quiet axes, transparent ground, exact hover."""
    figure.update_layout(
        height=height,
        margin={"l": left, "r": right, "t": top, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13},
        hoverlabel={"font": {"family": FONT, "size": 13}},
        showlegend=False,
        bargap=0.32,
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, title=None)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, title=None)
    return figure


def compact(value: float) -> str:
    """A short number for cards and axes: 950, 12.4k, 1.25M; – where unknown."""
    if value != value:
        return "–"
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:,.0f}"


def compact_money(minor: float, currency: str) -> str:
    """A short amount for cards: $12.4k; – where unknown."""
    whole = abs(minor) / unit(currency)
    if minor != minor or whole < 100:
        return amount(minor, currency)
    return f"{'-' if minor < 0 else ''}{symbol(currency)}{compact(whole)}"


def percent(rate: float, digits: int = 1) -> str:
    """A rate for screens: 3.2 %; – where unknown."""
    return "–" if rate != rate else f"{rate * 100:.{digits}f} %"


def percent_between(rate: float, low: float, high: float, digits: int = 1) -> str:
    """A rate with its interval: 3.2 % (2.9–3.5); without one the rate alone; – where unknown."""
    if low != low or high != high:
        return percent(rate, digits)
    return f"{percent(rate, digits)} ({low * 100:.{digits}f}–{high * 100:.{digits}f})"
