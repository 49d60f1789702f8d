"""The models behind the values: how far to trust them, what they learnt, and where they were wrong."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import value_fit, value_models
from ma.charts import value_model as charts
from ma.types import Actor
from ui import tables, value_status
from ui.export import export_button
from ui.picture import chart
from ui.session import reading, workspace
from ui.tables import amount
from ui.text import literal

_SYMBOLS = {"alpha": "α"}
_MODELS = {"purchases": "Purchases (BG/NBD)", "orders": "Order value (Gamma-Gamma)"}


def draw(actor: Actor, model: dict, *, currency: str, as_of: datetime) -> None:
    """Draw the tab."""
    _verdict(actor, model)
    tracked = value_fit.tracking_of(model)
    if len(tracked):
        _tracking(model, tracked)
    _checks(model)
    parameters = value_fit.parameters_of(model)
    if len(parameters):
        _parameters(parameters, currency)
    _history(as_of)
    st.caption(
        value_status.source(
            model,
            "a purchase is a day with at least one sale, in the workspace's time zone",
            "purchases by Fader, Hardie & Lee (2005), order values by Fader & Hardie (2013)",
        )
    )


def _verdict(actor: Actor, model: dict) -> None:
    """Whether the model holds, in words; first of all."""
    words, icon, colour = value_status.BADGES[model["status"]]
    checked = value_fit.held_out(model)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(words, icon=icon, color=colour)
        if checked:
            st.markdown(_checked_words(**checked), width="content")
        st.space("stretch")
        value_status.fit_button(actor, "Fit again")
    for problem in model["problems"]:
        st.markdown(f":material/info: {literal(problem)}")


def _checked_words(weeks: float, actual: float, expected: float) -> str:
    """The check against later purchases in one sentence."""
    words = (
        f"In the last {weeks:.0f} weeks, which it had not seen, it expected **{expected:,.0f}** repeat "
        "purchases"
    )
    if not actual:
        return f"{words}; there were none."
    off = (expected / actual - 1.0) * 100.0
    return f"{words}; there were **{actual:,.0f}** ({off:+.0f} %)."


def _head(title: str, unit_words: str, frame: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}**, {unit_words}")
        st.space("stretch")
        export_button(frame)


def _tracking(model: dict, tracked: pd.DataFrame) -> None:
    with st.container(border=True):
        _head(
            "Repeat purchases so far",
            "days with a purchase after each customer's first, added up",
            "value_tracking",
        )
        chart(charts.tracking(tracked), key="value-tracking")
        st.caption(
            "Fitted on the weeks before the dotted line only; the grey ground is what it had not seen. Of "
            "customers who had bought before the line. A model that holds stays on the actual line there."
        )


def _checks(model: dict) -> None:
    frames = (
        (
            value_fit.by_frequency_of(model), charts.by_frequency, "value_by_frequency",
            "Customers by repeat purchases", "number of customers",
            "Fitted on everything up to now: whether it reproduces how often customers come back.",
        ),
        (
            value_fit.holdout_of(model), charts.holdout, "value_holdout",
            "The weeks held out", "repeat purchases per customer",
            "By how often they had come back before: whether the most loyal go on as expected.",
        ),
        (
            value_fit.churn_of(model), charts.churn_calibration, "value_churn_calibration",
            "Predicted against observed", "chance to buy in the weeks held out, with 95 % interval",
            "Tenths of the customers. On the dotted line: of those given 30 %, 30 % bought. It is the chance "
            "to buy that is checked; whether somebody is gone for good, nobody sees.",
        ),
    )  # fmt: skip
    there = [one for one in frames if len(one[0])]
    for place, (frame, drawn, name, title, unit_words, words) in zip(
        st.columns(len(there), gap="medium") if there else (), there, strict=True
    ):
        with place, st.container(border=True):
            _head(title, unit_words, name)
            chart(drawn(frame), key=name.replace("_", "-"))
            st.caption(words)


def _parameters(parameters: pd.DataFrame, currency: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Parameters**, with standard errors; time in weeks, money in the smallest unit")
        st.space("stretch")
        export_button("value_parameters")
    table = parameters.assign(
        model=parameters["model"].map(_MODELS),
        parameter=[_SYMBOLS.get(name, name) for name in parameters["parameter"]],
        interval=[_between(row.low, row.high) for row in parameters.itertuples()],
    )
    st.dataframe(
        table[["model", "parameter", "value", "standard_error", "interval", "meaning"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "model": st.column_config.TextColumn("Model"),
            "parameter": st.column_config.TextColumn("Parameter"),
            "value": st.column_config.NumberColumn("Value", format="%,.4g"),
            "standard_error": st.column_config.NumberColumn("Standard error", format="%,.2g"),
            "interval": st.column_config.TextColumn("95 % interval"),
            "meaning": st.column_config.TextColumn("Meaning", width="large"),
        },
    )
    st.caption(_means(parameters, currency))


def _between(low: float, high: float) -> str:
    """An interval in three digits, large numbers whole: 0.5 to 1,200."""
    ends = [f"{end:,.0f}" if end >= 1_000 else f"{end:.3g}" for end in (low, high)]
    return "–" if low != low else " to ".join(ends)


def _means(parameters: pd.DataFrame, currency: str) -> str:
    """What the parameters say of an average customer."""
    by_model = {name: rows.set_index("parameter")["value"] for name, rows in parameters.groupby("model")}
    words = []
    if (found := by_model.get("purchases")) is not None:
        words += [
            f"Active customers buy {found['r'] / found['alpha']:.2f} times a week on average",
            f"after a purchase {found['a'] / (found['a'] + found['b']) * 100:.1f} % never come back",
        ]
    if (found := by_model.get("orders")) is not None and found["q"] > 1:
        mean = found["p"] * found["v"] / (found["q"] - 1)
        words.append(f"a purchase is worth {literal(amount(mean, currency))}")
    vague = parameters[parameters["standard_error"] > 0.5 * parameters["value"]]["parameter"].tolist()
    said = "In words: " + ", ".join(words) + "."
    if vague:
        names = " and ".join(_SYMBOLS.get(name, name) for name in vague)
        said += f" The data hardly tell {names}, each by itself; what is predicted takes them together."
    return said


def _history(as_of: datetime) -> None:
    with reading() as session:
        fits = value_models.value_models(session, as_of=as_of)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Fits**, newest first")
        st.space("stretch")
        export_button("value_models")
    table = tables.major(fits, ["expected_value_minor"])
    table["status"] = [value_status.BADGES[one][0] for one in table["status"]]
    table["off"] = table["holdout_expected"] / table["holdout_actual"] - 1.0
    st.dataframe(
        table[
            [
                "model_version", "fitted_at", "status", "customers", "repeat_customers", "off",
                "expected_value", "duration_ms", "created_by", "problems",
            ]
        ],
        hide_index=True,
        placeholder="–",
        column_config={
            "model_version": st.column_config.NumberColumn("Model", format="%d", pinned=True),
            "fitted_at": tables.moment("Fitted", workspace().timezone),
            "status": st.column_config.TextColumn("Status"),
            "customers": tables.count("Customers"),
            "repeat_customers": tables.count("Came back"),
            "off": tables.rate("Off in the check", help="In the weeks held out: expected ÷ actual − 1"),
            "expected_value": tables.money("Value in 12 months"),
            "duration_ms": st.column_config.NumberColumn("Took", format="%,d ms"),
            "created_by": st.column_config.TextColumn("By"),
            "problems": st.column_config.TextColumn("Problems", width="large"),
        },
    )  # fmt: skip
