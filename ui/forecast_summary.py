"""The forecast of a campaign as planned: cards, the same in words, step by step, and every figure."""

import pandas as pd
import streamlit as st

from ma.charts import forecast as charts
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast
from ui import picture
from ui.export import export_button
from ui.forecast_words import between, chance_of, middle, of_hundred, short, shown


def draw(campaign: dict, ground: Basis, forecast: Forecast, currency: str) -> None:
    """Draw it; every range is that of 8 in 10 cases."""
    table = forecast.table()
    _cards(ground, forecast, table, currency)
    st.markdown(_in_words(forecast, table, currency))
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Step by step**: people in the middle case, and in 8 in 10 cases")
        picture.chart(charts.fan(table), key="forecast-fan")
    with right, st.container(border=True, height="stretch"):
        _money(forecast, table, currency)
    if len(forecast.variants) > 1:
        _by_variant(forecast, currency)
    _figures(campaign, table, currency)


def _cards(ground: Basis, forecast: Forecast, table: pd.DataFrame, currency: str) -> None:
    def card(label: str, value: str, beside: str, help: str) -> None:
        st.metric(
            label, value, delta=beside, delta_color="off", delta_arrow="off", help=help, height="stretch"
        )

    people, profit = table.loc["treated"], table.loc["profit_minor"]
    extra = table.loc["incremental_conversions"]
    known = profit["p50"] == profit["p50"]
    with st.grid(columns=4, border=True, min_column_width=190):
        card(
            "People",
            short("treated", people["p50"], currency),
            f"of {ground.waterfall[0].people:,} in the segment",
            "Who would be sent it if it were launched now: with consent, an address and below the message "
            "limit, without those excluded or held out, as far as the budget goes.",
        )
        card(
            "Profit",
            short("profit_minor", profit["p50"], currency),
            f"8 in 10 cases: {between(profit, 'profit_minor', currency)}" if known else "cost unknown",
            "Attributed revenue − cost, in the middle case. Attributed: what people who were sent it buy of "
            "it within the conversion window, even if they would have bought anyway.",
        )
        card(
            "Chance of a loss",
            chance_of(forecast.chance_of_loss),
            f"{chance_of(forecast.chance_of_incremental_loss)} counting only what it adds"
            if known
            else "cost unknown",
            "The share of cases in which it brings less than it costs. Counting only what it adds: without "
            "the purchases that people would have made anyway.",
        )
        card(
            "Extra conversions",
            short("incremental_conversions", extra["p50"], currency),
            f"8 in 10 cases: {between(extra, 'incremental_conversions', currency)}",
            "Conversions that would not happen without the campaign, in the middle case.",
        )


def _in_words(forecast: Forecast, table: pd.DataFrame, currency: str) -> str:
    converted, extra = (table.loc[name, "p50"] for name in ("converted", "incremental_conversions"))
    anyway = _anyway(converted, extra)
    if forecast.chance_of_loss != forecast.chance_of_loss:
        revenue = between(table.loc["revenue_minor"], "revenue_minor", currency)
        return (
            f"In **8 of 10 cases** it brings revenue of **{revenue}**. What it costs is unknown, so nobody "
            f"can say whether that is a profit: enter the cost in the campaign.{anyway}"
        )
    band = between(table.loc["profit_minor"], "profit_minor", currency).replace(" to ", "** and **")
    words = (
        f"In **8 of 10 cases** profit lies between **{band}**; it loses money in "
        f"**{of_hundred(forecast.chance_of_loss)}**.{anyway}"
    )
    chance = forecast.chance_of_incremental_loss
    if chance > 0.5:
        words += (
            f" :orange[:material/warning: Counting only those, it costs more than it adds in "
            f"{of_hundred(chance)}.]"
        )
    return words


def _anyway(converted: float, extra: float) -> str:
    if converted < 0.5:
        return " Hardly anybody is expected to convert."
    conversions = "1 conversion" if round(converted) == 1 else f"{converted:,.0f} conversions"
    if extra < 0.5:
        return f" Of {conversions} in the middle case, hardly any would not have come anyway."
    return f" Of {conversions} in the middle case, about {extra:,.0f} would not come without it."


def _money(forecast: Forecast, table: pd.DataFrame, currency: str) -> None:
    known = table.loc["profit_minor", "p50"] == table.loc["profit_minor", "p50"]
    figure = "profit_minor" if known else "revenue_minor"
    draws = pd.Series(forecast.figures[figure])
    if known:
        st.markdown("**Profit**: how often it comes out as what")
    else:
        st.markdown("**Attributed revenue**: how often it comes out as what")
    picture.chart(charts.outcomes(draws, currency=currency, signed=known), key="forecast-outcomes")
    rows = ["revenue_minor", "cost_minor", "incremental_profit_minor"]
    st.caption(
        " · ".join(
            f"{charts.FIGURES[name]} {short(name, table.loc[name, 'p50'], currency)}"
            + (
                f" ({between(table.loc[name], name, currency)})"
                if table.loc[name, "p10"] == table.loc[name, "p10"]
                else ""
            )
            for name in rows
        )
        + ". In brackets 8 in 10 cases. Extra: without what people would have bought anyway."
    )


def _by_variant(forecast: Forecast, currency: str) -> None:
    frame = forecast.by_variant()
    wanted = [
        name
        for name in ("treated", "opened", "clicked", "converted", "incremental_conversions", "revenue_minor")
        if (frame["figure"] == name).any()
    ]
    rows = []
    for variant, part in frame.groupby("variant", sort=False):
        mine = part.set_index("figure")
        cells = {charts.FIGURES[name]: middle(mine.loc[name], name, currency) for name in wanted}
        rows.append({"Message": variant} | cells)
    st.markdown("**By message**: the middle case, and between what 8 in 10 cases lie")
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    st.caption("Messages differ only by the effects that you assume of them and by chance.")


def _figures(campaign: dict, table: pd.DataFrame, currency: str) -> None:
    frame = shown(table, currency)
    right = {
        name: st.column_config.TextColumn(name, alignment="right")
        for name in frame.columns
        if name != "Figure"
    }
    with st.expander("Every figure and how sure it is", icon=":material/table:"):
        st.dataframe(frame, hide_index=True, column_config=right, height="content")
        export_button("forecast", campaign_id=campaign["id"], key="export-forecast")
