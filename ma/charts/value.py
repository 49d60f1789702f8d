"""What customers are expected to bring: how it is spread, RFM grid, what a new one brings back, what-if."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

# Cells look the same in both themes; from this share of the scale on they are so dark that words are white.
_PALE, _INK = (0xE4, 0xE6, 0xF9), "#1E2233"
_DARK = 0.6
# As high as the bands beside it are.
_HEIGHT = 392
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
# What the colour of a cell can show: column of `analytics.value_overview.rfm_grid`, and its words.
MEASURES = {
    "customers": "customers",
    "expected_value_minor": "expected value",
    "value_per_customer_minor": "value per customer",
    "churn_risk": "mean churn risk",
}


def distribution(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """By band of expected value its share of the customers and, under that, of the value.

    `frame`: rows of `analytics.value_overview.value_distribution`.
    """
    figure = go.Figure()
    places = list(range(len(frame)))
    hover = [
        f"<b>{band_name(row.low_minor, row.high_minor, currency)}</b><br>{row.customers:,} customers, "
        f"{theme.percent(row.share_of_customers)} of all<br>{amount(row.expected_value_minor, currency)} "
        f"expected, {theme.percent(row.share_of_value)} of all"
        for row in frame.itertuples()
    ]
    for column, offset, colour in (
        ("share_of_customers", -0.2, theme.NEUTRAL),
        ("share_of_value", 0.2, theme.BRAND),
    ):
        figure.add_bar(
            x=frame[column],
            y=[place + offset for place in places],
            width=0.36,
            orientation="h",
            marker={"color": colour, "cornerradius": 3},
            text=[_share(share) for share in frame[column]],
            textposition="outside",
            textfont={"size": 12},
            cliponaxis=False,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
        )
    theme.apply(figure, height=max(44 * len(frame) + 40, _HEIGHT))
    highest = frame[["share_of_customers", "share_of_value"]].max().max() if len(frame) else 1.0
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, highest * 1.14], tickformat=".0%", nticks=5)
    names = [band_name(row.low_minor, row.high_minor, currency) for row in frame.itertuples()]
    figure.update_yaxes(
        tickvals=places, ticktext=names, range=[-0.6, max(len(frame), 1) - 0.4], showgrid=False
    )
    return figure


def _share(share: float) -> str:
    """A share in whole percent; what is not nothing never looks like it."""
    return "<1 %" if 0.0 < share < 0.005 else theme.percent(share, 0)


def band_name(low: float, high: float, currency: str) -> str:
    """A band of money: €50–100, €200 and more."""
    start = theme.compact(low / unit(currency))
    if high != high:
        return f"{symbol(currency)}{start} and more"
    return f"{symbol(currency)}{start}–{theme.compact(high / unit(currency))}"


def concentration(frame: pd.DataFrame, *, currency: str, top: float = 0.2) -> go.Figure:
    """Which share of the expected value the most valuable customers hold, against all being alike.

    `frame`: rows of `analytics.value_overview.value_concentration`.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=frame["share_of_customers"],
        y=frame["share_of_value"],
        mode="lines",
        line={"color": theme.BRAND, "width": 3},
        fill="tozeroy",
        fillcolor="rgba(79, 91, 213, 0.12)",
        customdata=[
            (f"{row.customers:,}", amount(row.expected_value_minor, currency)) for row in frame.itertuples()
        ],
        hovertemplate="The most valuable <b>%{x:.0%}</b> (%{customdata[0]} customers)<br>"
        "hold <b>%{y:.1%}</b> of the expected value: %{customdata[1]}<extra></extra>",
    )
    share = float(np.interp(top, frame["share_of_customers"], frame["share_of_value"]))
    figure.add_scatter(
        x=[top], y=[share], mode="markers+text",
        marker={"color": theme.BRAND, "size": 12, "line": {"color": "#FFFFFF", "width": 2}},
        text=[f"<b>{theme.percent(share, 0)}</b> from {theme.percent(top, 0)}"],
        textposition="middle right" if share < 0.85 else "bottom right",
        textfont={"size": 13}, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    figure.add_annotation(
        x=0.8, y=0.68, text="all alike", showarrow=False, font={"size": 12, "color": theme.NEUTRAL}
    )
    theme.apply(figure, height=_HEIGHT, right=22)
    axis = {"tickformat": ".0%", "dtick": 0.2}
    figure.update_xaxes(**axis, range=[0, 1.01], title=_title("Customers, the most valuable first"))
    figure.update_yaxes(**axis, range=[0, 1.04])
    return figure


def rfm_grid(
    frame: pd.DataFrame, *, measure: str, currency: str, chosen: tuple[int, int] | None = None
) -> go.Figure:
    """A cell for each recency score (across) and frequency score (up); darker for more of the measure.

    `frame`: rows of `analytics.value_overview.rfm_grid`. In the customdata of each cell stand its two scores;
    `chosen` ones have a frame. Cells without anybody are empty.
    """
    shown = frame[frame["customers"] > 0]
    values = shown[measure].astype(float)
    low = float(values.min()) if measure == "churn_risk" and values.notna().any() else 0.0
    high = float(values.max()) if values.notna().any() else 0.0
    level = ((values - low) / ((high - low) or 1.0)).clip(0.0, 1.0)
    picked = [(row.recency_score, row.frequency_score) == chosen for row in shown.itertuples()]
    # Bars instead of a heat map: the whole of a cell can be clicked.
    figure = go.Figure(
        go.Bar(
            x=shown["recency_score"],
            y=[0.94] * len(shown),
            base=shown["frequency_score"] - 0.47,
            width=0.94,
            marker={
                "color": [_shade(one) for one in level],
                "line": {
                    "color": [theme.ORANGE if one else "rgba(0,0,0,0)" for one in picked],
                    "width": [4 if one else 0 for one in picked],
                },
                "cornerradius": 4,
            },
            text=[_cell_words(row, measure, currency) for row in shown.itertuples()],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": ["#FFFFFF" if one >= _DARK else _INK for one in level], "size": 12},
            customdata=[
                (int(row.recency_score), int(row.frequency_score), _cell_hover(row, currency))
                for row in shown.itertuples()
            ],
            hovertemplate="%{customdata[2]}<extra></extra>",
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
        )
    )
    # The button that saves the picture stands above the cells, not in the way of clicks on the best ones.
    theme.apply(figure, height=424, top=32)
    axis = {"tickvals": [1, 2, 3, 4, 5], "range": [0.5, 5.5], "showgrid": False, "fixedrange": True}
    figure.update_xaxes(**axis, title=_title("Recency score: 5 bought last"))
    figure.update_yaxes(**axis, title=_title("Frequency score: 5 most often"))
    return figure


def _shade(level: float) -> str:
    if level != level:
        return theme.NEUTRAL
    brand = [int(theme.BRAND[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [round(a + (b - a) * level) for a, b in zip(_PALE, brand, strict=True)]
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def _cell_words(row, measure: str, currency: str) -> str:
    """The number of customers and, where the colour shows another measure, that under it."""
    people = theme.compact(row.customers)
    value = getattr(row, measure)
    if measure == "customers":
        value, measure = row.value_per_customer_minor, "value_per_customer_minor"
        return f"<b>{people}</b>" + ("" if value != value else f"<br>{theme.compact_money(value, currency)}")
    words = _share(value) if measure == "churn_risk" else theme.compact_money(value, currency)
    return f"<b>{words}</b><br>{people}"


def _cell_hover(row, currency: str) -> str:
    return (
        f"<b>Recency {row.recency_score:.0f}, frequency {row.frequency_score:.0f}</b>"
        f"<br>{row.customers:,} customers, {theme.percent(row.share_of_customers)} of all who bought"
        f"<br>Spent to date {amount(row.spend_minor, currency)}"
        f"<br>Expected in 12 months {amount(row.expected_value_minor, currency)}"
        f"<br>Per customer {amount(row.value_per_customer_minor, currency)}"
        f"<br>Mean churn risk {theme.percent(row.churn_risk)}"
    )


def payback(frame: pd.DataFrame, *, cost_minor: float | None, currency: str) -> go.Figure:
    """What a new customer is expected to bring by week, against what it costs to acquire one.

    `frame`: rows of `analytics.value_what_if.new_customer_value`, margin_minor being what counts.
    """
    whole = unit(currency)
    figure = go.Figure()
    figure.add_scatter(
        x=frame["week"],
        y=frame["margin_minor"] / whole,
        mode="lines",
        line={"color": theme.BRAND, "width": 3},
        customdata=[(amount(row.margin_minor, currency), f"{row.orders:.2f}") for row in frame.itertuples()],
        hovertemplate="After %{x} weeks <b>%{customdata[0]}</b><br>%{customdata[1]} orders<extra></extra>",
    )
    highest = float(frame["margin_minor"].max()) / whole
    if cost_minor is not None:
        highest = max(highest, cost_minor / whole)
        figure.add_hline(y=cost_minor / whole, line={"color": theme.RED, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=cost_minor / whole, yanchor="bottom", showarrow=False,
            text=f"costs {amount(cost_minor, currency)}", font={"size": 13},
        )  # fmt: skip
        if (week := payback_week(frame, cost_minor)) is not None:
            at = frame.loc[frame["week"] == week, "margin_minor"].iloc[0] / whole
            figure.add_scatter(
                x=[week], y=[at], mode="markers",
                marker={"color": theme.BRAND, "size": 12, "line": {"color": "#FFFFFF", "width": 2}},
                hovertemplate=f"Paid back in week {week}<extra></extra>",
            )  # fmt: skip
    theme.apply(figure, height=280, top=16)
    figure.update_xaxes(
        title=_title("Weeks since the first order"),
        showgrid=False,
        range=[0, 52.5],
        tickvals=[0, 13, 26, 39, 52],
    )
    figure.update_yaxes(range=[0, highest * 1.12 or 1], tickprefix=symbol(currency), tickformat=",", nticks=5)
    return figure


def payback_week(frame: pd.DataFrame, cost_minor: float) -> int | None:
    """The first week by whose end a new customer is expected to have brought the cost; None: not in these."""
    enough = frame.loc[frame["margin_minor"] >= cost_minor, "week"]
    return int(enough.iloc[0]) if len(enough) else None


def what_if(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """How much the expected value would change, by what is changed.

    `frame`: rows of `analytics.value_what_if.value_what_if`; the first one, as it is, is the line at 0.
    """
    changed = frame.iloc[1:]
    places, whole = list(range(len(changed))), unit(currency)
    figure = go.Figure(
        go.Bar(
            x=changed["difference_minor"] / whole,
            y=places,
            orientation="h",
            width=0.36,
            marker={
                "color": [theme.GOOD if one >= 0 else theme.BAD for one in changed["difference_minor"]],
                "cornerradius": 3,
            },
            customdata=[
                f"<b>{row.change}</b><br>{signed(row.difference_minor, currency)} "
                f"({row.difference_share * 100:+.1f} %)<br>{amount(row.expected_value_minor, currency)} "
                f"in all, {row.expected_orders:,.1f} orders"
                for row in changed.itertuples()
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.add_scatter(
        x=[0.0] * len(changed),
        y=[place - 0.36 for place in places],
        mode="text",
        text=[
            f"{_GAP[:1]}{row.change}{_GAP}<b>{signed(row.difference_minor, currency, short=True)}</b>{_GAP}"
            f"({row.difference_share * 100:+.1f} %)"
            for row in changed.itertuples()
        ],
        textposition=["middle right" if one >= 0 else "middle left" for one in changed["difference_minor"]],
        textfont={"size": 13},
        hoverinfo="skip",
        cliponaxis=False,
    )
    theme.apply(figure, height=64 * max(len(changed), 1) + 40)
    most = max(float(changed["difference_minor"].max()) / whole, 0.0)
    least = min(float(changed["difference_minor"].min()) / whole, 0.0)
    room = (most - least) or 1.0
    figure.update_xaxes(
        range=[least - 0.06 * room if least else 0, most + 0.06 * room if most else 0.06 * room],
        tickprefix=symbol(currency), tickformat="~s", nticks=5, zeroline=True, zerolinecolor=theme.NEUTRAL,
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[len(changed) - 0.6, -0.75])
    return figure


def signed(minor: float, currency: str, *, short: bool = False) -> str:
    """An amount with its sign: +€1,200.00."""
    words = theme.compact_money(minor, currency) if short else amount(minor, currency)
    return f"+{words}" if minor >= 0 else words


def _title(words: str) -> dict:
    return {"text": words, "font": {"size": 12}, "standoff": 6}
