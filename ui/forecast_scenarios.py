"""What if: up to three scenarios beside the plan, in the same cases, so that only the change tells."""

import pandas as pd
import streamlit as st

from ma.charts import forecast as charts
from ma.charts import theme
from ma.money import symbol
from ma.services import forecasts
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast, compare
from ui import forecast_changes as changes
from ui import forecast_kept
from ui.forecast_changes import Field
from ui.forecast_words import between, chance_of, middle, of_hundred, short
from ui.page import current_actor
from ui.text import literal

MOST = 3
_FIGURES = (
    "treated",
    "converted",
    "incremental_conversions",
    "revenue_minor",
    "cost_minor",
    "profit_minor",
    "incremental_profit_minor",
)


@st.fragment
def draw(campaign: dict, ground: Basis, key: tuple, currency: str) -> None:
    """Draw the scenarios that the address names (`?s1=holdout=10`), and what each adds to the plan."""
    current_actor()
    known = changes.fields(campaign, currency)
    count = next((n for n in range(MOST) if f"s{n + 1}" not in st.query_params), MOST)
    plan = forecast_kept.of_plan(ground, key, forecasts.plan(campaign))
    if not count:
        st.caption(
            "Try another holdout, budget, cost or effect: each scenario runs through the same simulated "
            "cases as the plan, so the difference is due to the change and not to luck."
        )
    columns = st.columns(MOST, gap="medium") if count else []
    tried = {}
    for number in range(1, count + 1):
        with columns[number - 1], st.container(border=True, height="stretch"):
            found = _one(number, campaign, known, ground, key, plan, currency)
            if found is not None:
                tried[f"Scenario {number}"] = found
    with st.container(horizontal=True):
        if count < MOST:
            st.button(
                "Add scenario", icon=":material/add:", key="add-scenario", on_click=_add, args=(count + 1,)
            )
        if count:
            st.button(
                f"Remove scenario {count}",
                icon=":material/remove:",
                key="remove-scenario",
                on_click=_remove,
                args=(count, campaign["id"], [field.name for field in known]),
            )
    if tried:
        _together(plan, tried, currency)


def _one(
    number: int, campaign: dict, known: list[Field], ground: Basis, key: tuple, plan: Forecast, currency: str
) -> Forecast | None:
    """One scenario: its fields, its words, what it brings; None where that is the plan or nothing."""
    given = changes.read(st.query_params.get(f"s{number}", ""), known)
    st.markdown(f"**Scenario {number}**")
    with st.popover("Change", icon=":material/tune:", key=f"scenario-{number}"):
        values = {field.name: _input(field, number, campaign["id"], given, currency) for field in known}
    st.query_params[f"s{number}"] = changes.written(values, known)
    made = changes.read(changes.written(values, known), known)
    words = changes.in_words(made, known, currency)
    st.caption(literal(words) if words else "As planned: change something.")
    altered = changes.applied(campaign, made, currency)
    if problem := changes.problem(altered):
        st.warning(problem, icon=":material/error:")
        return None
    found = forecast_kept.of_plan(ground, key, forecasts.plan(altered))
    figure = _measure(plan, found)
    row, gain = found.table().loc[figure], compare(plan, found).loc[figure]
    st.metric(
        charts.FIGURES[figure],
        short(figure, row["p50"], currency),
        delta=f"8 in 10 cases: {between(row, figure, currency)}",
        delta_color="off",
        delta_arrow="off",
    )
    if not words:
        return None
    st.markdown(_verdict(gain["chance_b_better"]))
    return found


def _input(field: Field, number: int, campaign_id: int, given: dict, currency: str) -> float | None:
    label = f"{field.label} ({symbol(currency).strip()})" if field.money else field.label
    return st.number_input(
        label,
        min_value=field.least,
        max_value=field.most,
        value=given.get(field.name, field.planned),
        step=field.step,
        format="%.2f" if field.money else "%.1f",
        placeholder="Unknown" if field.name != "budget" else "No limit",
        key=f"s{number}-{field.name}-{campaign_id}",
    )


def _add(number: int) -> None:
    current_actor()
    st.query_params[f"s{number}"] = ""


def _remove(number: int, campaign_id: int, names: list[str]) -> None:
    current_actor()
    st.query_params.pop(f"s{number}", None)
    for name in names:
        st.session_state.pop(f"s{number}-{name}-{campaign_id}", None)


def _measure(plan: Forecast, other: Forecast) -> str:
    """Profit, or revenue where a cost is unknown."""
    known = all(each.chance_of_loss == each.chance_of_loss for each in (plan, other))
    return "profit_minor" if known else "revenue_minor"


def _verdict(chance: float) -> str:
    if abs(chance - 0.5) < 0.005:
        return "No better and no worse than the plan."
    side, share = ("Better", chance) if chance > 0.5 else ("Worse", 1.0 - chance)
    return f"{side} than the plan in **{of_hundred(share)}**."


def _together(plan: Forecast, tried: dict[str, Forecast], currency: str) -> None:
    """All side by side: the difference to the plan as a picture, and the figures."""
    figure = next(
        (f for each in tried.values() if (f := _measure(plan, each)) == "revenue_minor"), "profit_minor"
    )
    gains = {name: compare(plan, other) for name, other in tried.items()}
    rows = pd.DataFrame([{"name": name, **gain.loc[figure].to_dict()} for name, gain in gains.items()])
    with st.container(border=True):
        st.markdown(f"**More {charts.FIGURES[figure].lower()} than the plan**, case by case")
        st.plotly_chart(
            charts.differences(rows, currency=currency), config=theme.CONFIG, key="scenario-differences"
        )
        tables = {"As planned": plan.table()} | {name: other.table() for name, other in tried.items()}
        every = {"As planned": plan} | tried
        side = [
            {"Figure": charts.FIGURES[name]}
            | {label: middle(table.loc[name], name, currency) for label, table in tables.items()}
            for name in _FIGURES
        ]
        side.append(
            {"Figure": "Chance of a loss"}
            | {label: chance_of(each.chance_of_loss) for label, each in every.items()}
        )
        st.dataframe(pd.DataFrame(side), hide_index=True)
        st.caption(
            "Middle case, in brackets 8 in 10 cases. Differences are taken case by case: the same people, "
            "the same luck, another plan. Better: more profit (revenue, where a cost is unknown); a tie "
            "counts half."
        )
