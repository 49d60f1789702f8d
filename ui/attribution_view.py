"""Attribution on the screen: key figures, models side by side, the table, and the journeys behind them."""

import pandas as pd
import streamlit as st

from ma.analytics import attribution, credit
from ma.analytics import journeys as paths
from ma.analytics.credit import MODELS
from ma.analytics.journeys import NO_MESSAGE, Journeys
from ma.charts import attribution as charts
from ma.charts.theme import percent
from ui import kpi, tables
from ui.attribution_choice import Choice
from ui.export import export_button
from ui.picture import chart
from ui.text import literal

_SHOWN_PATHS = 10
# From fewer conversions, one more or less moves every share by several points.
_ENOUGH = 30
_WHAT = {
    "last_touch": "all to the last message before the conversion",
    "first_touch": "all to the first one",
    "linear": "the same to each",
    "time_decay": "more to the later ones",
    "position_based": "40 % to the first, 40 % to the last, the rest between them",
    "markov": "what would be lost without it, learnt from journeys with and without a conversion",
    "shapley": "the mean of what it adds over all orders of adding channels",
}


def draw(found: Journeys, choice: Choice, *, currency: str) -> None:
    """Draw what was found; at least one conversion."""
    _cards(found, choice, currency)
    if not found.touched:
        st.info(
            f"**None of these conversions had a message in the {choice.window} before.** "
            "Choose a longer window or any message delivered under “What counts”, or a longer period.",
            icon=":material/account_tree:",
        )
        return
    _compared(found, choice, currency)
    _journeys(found, choice, currency)


def _cards(found: Journeys, choice: Choice, currency: str) -> None:
    without = found.conversions - found.touched
    with st.grid(columns=4, border=True, min_column_width=150):
        kpi.card(
            "Conversions",
            found.conversions,
            "people",
            currency=currency,
            help="In the period, by whomever. A person who converts twice counts twice.",
        )
        kpi.card(
            "With a message before",
            found.touched,
            "people",
            currency=currency,
            help=f"Those with a touch in the {choice.window} before: this is what the models share out "
            f"({percent(found.touched / found.conversions)} of all).",
        )
        kpi.card(
            NO_MESSAGE,
            without,
            "people",
            currency=currency,
            help=f"No touch in the {choice.window} before: no model credits them to anything "
            f"({percent(without / found.conversions)} of all).",
        )
        kpi.card(
            "Revenue shared out",
            found.touched_revenue_minor,
            "minor",
            currency=currency,
            help="The revenue of the conversions with a message before them; refunds are not taken off.",
        )


def _compared(found: Journeys, choice: Choice, currency: str) -> None:
    problem = credit.too_many(found)
    possible = {name: words for name, words in MODELS.items() if name != "shapley" or not problem}
    of = "channel" if found.question.level == "channel" else "campaign"
    figure = choice.figure
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            unit = "conversions" if figure == "conversions" else "revenue"
            st.markdown(f"**Credit of each {of} by model**, share of the {unit} with a message before")
            st.space("stretch")
            export_button(
                "attribution",
                **choice.params,
                half_life_days=found.question.half_life_days,
                models=",".join(possible),
            )
        models = _models(possible)
        table = attribution.of_journeys(found, list(models))
        chart(
            charts.credit(table, models=models, figure=figure, currency=currency),
            key=f"attribution-by-{of}",
        )
        if found.touched < _ENOUGH:
            only = (
                "Only one conversion has" if found.touched == 1 else f"Only {found.touched} conversions have"
            )
            st.caption(f":material/info: {only} a message before: too few to tell models or messages apart.")
        rows = table["name"].nunique()
        if rows > charts.MOST:
            st.caption(f"The {charts.MOST} with the most credit; the table has all {rows}.")
        if problem:
            st.caption(f":material/info: **Without Shapley.** {literal(problem)}")
    _table(table, models, figure, currency, of)
    said = " · ".join(f"{words}: {_WHAT[name]}" for name, words in models.items())
    st.caption(f"{said}. Every column adds up to all that there is to share.")


def _models(possible: dict[str, str]) -> dict[str, str]:
    chosen = st.pills(
        "Models",
        list(possible),
        format_func=possible.get,
        selection_mode="multi",
        key="credit-models",
        bind="query-params",
        label_visibility="collapsed",
        help="Without a choice all of them are shown.",
    )
    return {name: words for name, words in possible.items() if not chosen or name in chosen}


def _table(table: pd.DataFrame, models: dict[str, str], figure: str, currency: str, of: str) -> None:
    wide = table.pivot_table(index="name", columns="model", values=figure, aggfunc="first")[list(models)]
    wide = wide.sort_values(list(models), ascending=False).reset_index()
    total = wide[list(models)].sum().to_frame().T.assign(name="All of them")
    wide = pd.concat([wide, total], ignore_index=True)
    if figure == "revenue_minor":
        wide = tables.major(wide, list(models), currency=currency)
    config = {
        name: tables.money(words, currency)
        if figure == "revenue_minor"
        else st.column_config.NumberColumn(words, format="%,.2f")
        for name, words in models.items()
    }
    st.dataframe(
        wide[["name", *models]],
        hide_index=True,
        height=min(35 * len(wide) + 38, 530),
        column_config={"name": st.column_config.TextColumn(of.capitalize(), pinned=True), **config},
    )


def _journeys(found: Journeys, choice: Choice, currency: str) -> None:
    frame = paths.of_journeys(found)
    frame = frame[(frame["path"] != NO_MESSAGE) & (frame["conversions"] > 0)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Journeys that ended in a conversion", anchor=False, width="content")
        st.space("stretch")
        export_button("journeys", **choice.params)
    table = tables.major(frame.head(_SHOWN_PATHS), ["revenue_minor"], currency=currency)
    st.dataframe(
        table[["path", "conversions", "share", "revenue", "median_days", "unconverted"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "path": st.column_config.TextColumn("Messages, in their order", width="medium"),
            "conversions": tables.count("Conversions"),
            "share": tables.rate("Share", help="Of the conversions with a message before them"),
            "revenue": tables.money("Revenue", currency),
            "median_days": st.column_config.NumberColumn(
                "Days to convert", format="%.1f", help="Whole days from the first message: the median"
            ),
            "unconverted": tables.count(
                "Did not convert", help="Journeys of the same messages after which nobody converted so far"
            ),
        },
    )
    if len(frame) > _SHOWN_PATHS:
        st.caption(f"The {_SHOWN_PATHS} most frequent of {len(frame):,}; the export has all.")
