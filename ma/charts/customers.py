"""One customer's spending and messages, drawn."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme
from ma.money import amount, symbol, unit

_RUNNING = 0.45


def spend_by_month(frame: pd.DataFrame, *, currency: str) -> go.Figure:
    """Bars of an analytics.profile.spend_by_month frame; the month still running is paler and says so."""
    figure = go.Figure(
        go.Bar(
            x=frame["month"],
            y=frame["spend_minor"] / unit(currency),
            marker={
                "color": theme.BRAND,
                "opacity": [1.0 if done else _RUNNING for done in frame["complete"]],
                "cornerradius": 3,
            },
            customdata=[
                (
                    amount(row.spend_minor, currency),
                    f"{row.orders:,} order{'' if row.orders == 1 else 's'}",
                    f"{row.month:%B %Y}{'' if row.complete else ', so far'}",
                )
                for row in frame.itertuples()
            ],
            hovertemplate="<b>%{customdata[2]}</b><br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        )
    )
    theme.apply(figure, height=230)
    figure.update_yaxes(rangemode="tozero", tickprefix=symbol(currency), nticks=5, tickformat="~s")
    # A short history would otherwise be labelled with weeks.
    figure.update_xaxes(showgrid=False, tickformat="%b\n%Y", dtick="M1" if len(frame) <= 13 else None)
    return figure


def spend_by_category(frame: pd.DataFrame, *, currency: str, most: int = 8) -> go.Figure:
    """Sorted bars of an analytics.profile.spend_by_category frame; the rest after `most` is one bar."""
    shown = frame.assign(label=frame["category"].fillna("Category not known"))
    if len(shown) > most:
        rest = shown.iloc[most:]
        others = pd.DataFrame(
            {"label": [f"{len(rest)} others"], "spend_minor": [rest["spend_minor"].sum()], "orders": [None]}
        )
        shown = pd.concat([shown.head(most)[["label", "spend_minor", "orders"]], others], ignore_index=True)
    shown = shown.iloc[::-1]
    figure = go.Figure(
        go.Bar(
            x=shown["spend_minor"] / unit(currency),
            # The chart would read a name such as <b>wine</b> as formatting.
            y=[escape(str(label)) for label in shown["label"]],
            orientation="h",
            marker={"color": theme.BRAND, "cornerradius": 3},
            text=[theme.compact_money(value, currency) for value in shown["spend_minor"]],
            textposition="outside",
            cliponaxis=False,
            customdata=[amount(value, currency) for value in shown["spend_minor"]],
            hovertemplate="<b>%{y}</b><br>%{customdata}<extra></extra>",
        )
    )
    theme.apply(figure, height=28 * max(len(shown), 2) + 24)
    low = min(shown["spend_minor"].min() / unit(currency), 0)
    high = max(shown["spend_minor"].max() / unit(currency), 1)
    figure.update_xaxes(range=[low * 1.3, high * 1.22], visible=False)
    figure.update_yaxes(showgrid=False)
    return figure


def messages(frame: pd.DataFrame) -> go.Figure:
    """Bars of an analytics.messages.customer_messages frame: how many messages got how far, of how many."""
    known = frame[frame["messages"].notna() & ((frame["of"] > 0) | (frame["step"] == "sent"))].iloc[::-1]
    said = [
        f"{row.messages:,}" + (f" of {row.of:,}" if row.step != "sent" else "") for row in known.itertuples()
    ]
    figure = go.Figure(
        go.Bar(
            x=known["messages"].astype(int),
            y=[theme.STEP_LABELS[step] for step in known["step"]],
            orientation="h",
            marker={"color": [theme.STEP_COLOURS[step] for step in known["step"]], "cornerradius": 3},
            text=said,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="<b>%{y}</b><br>%{text} messages<extra></extra>",
        )
    )
    theme.apply(figure, height=28 * max(len(known), 2) + 24)
    figure.update_xaxes(range=[0, max(known["messages"].max(), 1) * 1.22], visible=False)
    figure.update_yaxes(showgrid=False)
    return figure
