"""How well the purchase model fits: what it expected beside what happened, also in weeks it had not seen."""

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

# What happened is grey everywhere here, what the model expects is of the brand's colour.
_ACTUAL, _EXPECTED = theme.NEUTRAL, theme.BRAND


def tracking(frame: pd.DataFrame) -> go.Figure:
    """Repeat purchase days added up by week, actual and expected; weeks held out have a ground of their own.

    `frame`: rows of `analytics.value_fit.value_tracking`.
    """
    figure = go.Figure()
    for column, words, colour, line in (
        ("actual", "Actual", _ACTUAL, {"width": 4}),
        ("expected", "Expected", _EXPECTED, {"width": 2.5, "dash": "dash"}),
    ):
        figure.add_scatter(
            x=frame["week"],
            y=frame[column],
            mode="lines",
            name=words,
            line={"color": colour} | line,
            customdata=[
                (
                    f"{row.actual:,.0f}",
                    f"{row.expected:,.0f}",
                    _off(row.actual, row.expected),
                    "held out" if row.held_out else "the model saw it",
                )
                for row in frame.itertuples()
            ],
            hovertemplate="Week %{x}, %{customdata[3]}<br><b>%{customdata[0]}</b> actual<br>"
            "<b>%{customdata[1]}</b> expected%{customdata[2]}<extra></extra>",
        )
    held = frame.loc[frame["held_out"].astype(bool), "week"]
    if len(held):
        figure.add_vrect(
            x0=held.min() - 0.5, x1=held.max() + 0.5, fillcolor=theme.GRID, line_width=0, layer="below"
        )
        figure.add_vline(x=held.min() - 0.5, line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            x=held.min() - 0.5, y=0.02, yref="paper", yanchor="bottom", xanchor="left", showarrow=False,
            text=" held out", font={"size": 12},
        )  # fmt: skip
    _legend(theme.apply(figure, height=320, top=30))
    figure.update_xaxes(
        title=_title("Weeks since the first purchase of all"), showgrid=False, rangemode="tozero"
    )
    figure.update_yaxes(rangemode="tozero", tickformat="~s", nticks=6)
    return figure


def by_frequency(frame: pd.DataFrame) -> go.Figure:
    """Customers by repeat purchase days so far, actual and expected side by side.

    `frame`: rows of `analytics.value_fit.value_by_frequency`.
    """
    figure = go.Figure()
    for column, words, colour in (("actual", "Actual", _ACTUAL), ("expected", "Expected", _EXPECTED)):
        figure.add_bar(
            x=frame["frequency"],
            y=frame[column],
            name=words,
            marker={"color": colour, "cornerradius": 3},
            customdata=[
                (f"{row.actual:,.0f}", f"{row.expected:,.0f}", _off(row.actual, row.expected))
                for row in frame.itertuples()
            ],
            hovertemplate="%{x} repeat purchase days<br><b>%{customdata[0]}</b> customers<br>"
            "<b>%{customdata[1]}</b> expected%{customdata[2]}<extra></extra>",
        )
    _legend(theme.apply(figure, height=300, top=30))
    figure.update_layout(barmode="group", bargroupgap=0.06)
    figure.update_xaxes(title=_title("Repeat purchase days so far"), type="category", showgrid=False)
    figure.update_yaxes(tickformat="~s", nticks=5)
    return figure


def holdout(frame: pd.DataFrame) -> go.Figure:
    """Repeat purchase days per customer in the weeks held out, by how many they had before.

    `frame`: rows of `analytics.value_fit.value_holdout`.
    """
    figure = go.Figure()
    for column, words, colour, mark in (
        ("actual", "Actual", _ACTUAL, {"width": 4}),
        ("expected", "Expected", _EXPECTED, {"width": 2.5, "dash": "dash"}),
    ):
        figure.add_scatter(
            x=frame["frequency"],
            y=frame[column],
            mode="lines+markers",
            name=words,
            line={"color": colour} | mark,
            marker={"size": 8, "symbol": "circle" if column == "actual" else "diamond"},
            customdata=[
                (f"{row.actual:.2f}", f"{row.expected:.2f}", f"{row.customers:,}")
                for row in frame.itertuples()
            ],
            hovertemplate="%{x} repeat purchase days before (%{customdata[2]} customers)<br>"
            "<b>%{customdata[0]}</b> per customer since<br><b>%{customdata[1]}</b> expected<extra></extra>",
        )
    _legend(theme.apply(figure, height=300, top=30))
    figure.update_xaxes(title=_title("Repeat purchase days before the cut"), type="category", showgrid=False)
    figure.update_yaxes(rangemode="tozero", nticks=5)
    return figure


def churn_calibration(frame: pd.DataFrame) -> go.Figure:
    """The chance to buy in the weeks held out, predicted and observed; on the line it holds.

    `frame`: rows of `analytics.value_fit.value_churn_calibration`.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": theme.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=frame["predicted"],
        y=frame["observed"],
        mode="markers+lines",
        line={"color": "rgba(79, 91, 213, 0.35)", "width": 1.5},
        marker={"color": _EXPECTED, "size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": frame["observed_high"] - frame["observed"],
            "arrayminus": frame["observed"] - frame["observed_low"],
            "color": _EXPECTED,
            "thickness": 1.5,
            "width": 0,
        },
        customdata=[
            (f"{row.customers:,}", f"{theme.percent(row.observed_low)} to {theme.percent(row.observed_high)}")
            for row in frame.itertuples()
        ],
        hovertemplate="Predicted <b>%{x:.1%}</b><br>Bought <b>%{y:.1%}</b>, 95 % interval %{customdata[1]}"
        "<br>%{customdata[0]} customers<extra></extra>",
    )
    theme.apply(figure, height=300)
    axis = {"tickformat": ".0%", "range": [-0.02, 1.04], "nticks": 6}
    figure.update_xaxes(**axis, title=_title("Predicted chance to buy"))
    figure.update_yaxes(**axis, title=_title("Share that bought"))
    return figure


def _off(actual: float, expected: float) -> str:
    return f" ({(expected / actual - 1.0) * 100:+.1f} %)" if actual else ""


def _legend(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
    )


def _title(words: str) -> dict:
    return {"text": words, "font": {"size": 12}, "standoff": 6}
