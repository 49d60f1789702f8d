"""What if: up to three scenarios beside the plan, in the same cases, so that only the change tells."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import streamlit as st

from ma.charts import forecast as charts
from ma.money import symbol
from ma.services import forecasts
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast, compare
from ui import forecast_audiences as audiences
from ui import forecast_changes as changes
from ui import forecast_kept, picture
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


@dataclass(frozen=True)
class Tried:
    """What a scenario stands on, and what it brings."""

    ground: Basis
    forecast: Forecast


@st.fragment
def draw(campaign: dict, ground: Basis, key: tuple, currency: str, as_of: datetime) -> None:
    """Draw the scenarios that the address names (`?s1=holdout=10`), and what each adds to the plan."""
    current_actor()
    known = changes.fields(campaign, currency, audiences.choices(campaign, as_of))
    count = next((n for n in range(MOST) if f"s{n + 1}" not in st.query_params), MOST)
    plan = Tried(ground, forecast_kept.of_plan(ground, key, forecasts.plan(campaign)))
    if not count:
        st.caption(
            "Try another segment, holdout, budget, cost or effect: each scenario runs through the same "
            "simulated cases as the plan, so the difference is due to the change and not to luck."
        )
    columns = st.columns(MOST, gap="medium") if count else []
    tried = {}
    for number in range(1, count + 1):
        with columns[number - 1], st.container(border=True, height="stretch"):
            found = _one(number, campaign, known, key, plan, currency, as_of)
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
        _together(campaign, plan, tried, currency)


def _one(
    number: int, campaign: dict, known: list[Field], key: tuple, plan: Tried, currency: str, as_of: datetime
) -> Tried | None:
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
    ground = plan.ground
    if altered["segment_id"] != campaign["segment_id"]:
        ground, key = forecast_kept.elsewhere(ground, key, altered, as_of)
        if ground.blocked:
            st.warning(f"Nobody would be sent it. {literal(ground.blocked)}", icon=":material/group_off:")
            return None
        st.caption(audiences.in_words(ground))
    found = forecast_kept.of_plan(ground, key, forecasts.plan(altered))
    figure = _measure(plan.forecast, found)
    row, gain = found.table().loc[figure], compare(plan.forecast, found).loc[figure]
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
    return Tried(ground, found)


def _input(field: Field, number: int, campaign_id: int, given: dict, currency: str) -> float | None:
    if field.choices is not None:
        ids = list(field.choices)
        return st.selectbox(
            field.label,
            ids,
            index=ids.index(given.get(field.name, field.planned)),
            format_func=field.choices.get,
            key=f"s{number}-{field.name}-{campaign_id}",
        )
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


def _together(campaign: dict, plan: Tried, tried: dict[str, Tried], currency: str) -> None:
    """All side by side: the difference to the plan as a picture, and the figures."""
    every = {"As planned": plan} | tried
    forecasts_of = {name: each.forecast for name, each in every.items()}
    known = all(each.chance_of_loss == each.chance_of_loss for each in forecasts_of.values())
    figure = "profit_minor" if known else "revenue_minor"
    gains = {name: compare(plan.forecast, other.forecast) for name, other in tried.items()}
    rows = pd.DataFrame([{"name": name, **gain.loc[figure].to_dict()} for name, gain in gains.items()])
    with st.container(border=True):
        st.markdown(f"**More {charts.FIGURES[figure].lower()} than the plan**, case by case")
        picture.chart(charts.differences(rows, currency=currency), key="scenario-differences")
        tables = {name: each.table() for name, each in forecasts_of.items()}
        side = [
            {"Figure": charts.FIGURES[name]}
            | {label: middle(table.loc[name], name, currency) for label, table in tables.items()}
            for name in _FIGURES
        ]
        side.append(
            {"Figure": "Chance of a loss"}
            | {label: chance_of(each.chance_of_loss) for label, each in forecasts_of.items()}
        )
        if any(each.ground is not plan.ground for each in tried.values()):
            side.append(audiences.per_thousand(forecasts_of, currency, known=known))
        st.dataframe(pd.DataFrame(side), hide_index=True)
        st.caption(
            "Middle case, in brackets 8 in 10 cases. Differences are taken case by case: the same people, "
            "the same luck, another plan. Better: more profit (revenue, where a cost is unknown); a tie "
            "counts half."
        )
        audiences.draw(campaign, {name: each.ground for name, each in every.items()})
