"""A budget plan: who gets how much, what it should earn against an even split, and what limits it."""

import numpy as np
import pandas as pd
import streamlit as st

from ma.charts import budget_plan as charts
from ma.charts import theme
from ma.money import amount
from ma.services.budget_plans import Ground, table
from ma.simulation import split as limits
from ma.simulation.planner import BudgetPlan
from ma.types import Channel
from ui import picture
from ui.budget_choice import Choice
from ui.export import export_button
from ui.forecast_words import chance_of, of_hundred
from ui.text import literal

_RIGHT = (
    "Budget",
    "Share",
    "Messages",
    "Extra profit",
    "Lost to the limit",
    "Lost to fatigue",
    "Chance of a loss",
    "Even split",
    "Its extra profit",
)


def draw(ground: Ground, found: BudgetPlan, choice: Choice, currency: str) -> None:
    """Draw the plan: cards, the same in words, the split, the curve, and the table."""
    frame = table(ground, found)
    _cards(found, currency)
    st.markdown(_in_words(found, frame, currency))
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Who gets what** :gray[the thin bar is the even split]")
        picture.chart(charts.split(frame, currency=currency), key="planner-split")
    with right, st.container(border=True, height="stretch"):
        st.markdown("**What another budget would earn** :gray[expected extra profit of the best split]")
        figure = charts.returns(
            found.curve,
            budget_minor=found.budget_minor,
            even_minor=float(found.even.expected_minor.sum()),
            enough_minor=found.enough_minor,
            currency=currency,
        )
        picture.chart(figure, key="planner-curve")
        st.caption(_margin(found, currency))
    _by_campaign(frame, choice, currency)


def _cards(found: BudgetPlan, currency: str) -> None:
    def card(label: str, value: str, beside: str, help: str) -> None:
        st.metric(
            label, value, delta=beside, delta_color="off", delta_arrow="off", help=help, height="stretch"
        )

    expected = float(found.best.expected_minor.sum())
    gain = expected - float(found.even.expected_minor.sum())
    spent = int(found.best.money_minor.sum())
    with_all = float(np.mean(found.best.total("profit_minor") < 0.0)) if spent else float("nan")
    with st.grid(columns=4, border=True, min_column_width=190):
        card(
            "Expected extra profit",
            _money(expected, currency),
            f"8 in 10 cases: {_range(found.best.total(), currency)}",
            "Mean of what the messages cause − what they cost. What people would buy anyway is not in it.",
        )
        card(
            "Chance of a loss",
            chance_of(found.chance_of_loss),
            f"{chance_of(with_all)} with all sales",
            "The share of cases in which the campaigns together cause less than they cost. With all sales: "
            "counting also those that would come anyway.",
        )
        card(
            "Against an even split",
            _signed(gain, currency),
            "the same split" if _is_even(found) else f"better in {of_hundred(found.chance_better)}",
            "Expected extra profit of the plan − that of the same budget in equal parts, both in the same "
            "cases. A tie counts half.",
        )
        card(
            "Used of the budget",
            _money(spent, currency),
            f"of {_money(found.budget_minor, currency)}",
            "Fixed costs included. What is left over would bring less than it costs: keep it.",
        )


def _in_words(found: BudgetPlan, frame: pd.DataFrame, currency: str) -> str:
    running = int((found.best.messages > 0).sum())
    if not running:
        if found.enough_minor > found.budget_minor:
            return (
                "**Too little.** With this budget no campaign earns its fixed cost. More money pays, up to "
                f"{_money(found.enough_minor, currency)}."
            )
        return (
            "**Keep the money.** None of these campaigns is expected to cause more than it costs, however "
            "it is split. The table says why."
        )
    profit = float(found.best.total("profit_minor").mean())
    planned = (
        f"**Send {running} of {len(frame)} campaigns.** Planned is the **extra profit**, what the budget "
        f"causes: sales that come anyway do not count (with them, profit would be about "
        f"{_money(profit, currency)}). "
    )
    if _is_even(found):
        return f"{planned}An even split is the best one."
    gain = _range(found.gain(), currency)
    few = (
        f" On average it earns more, but less in {of_hundred(1.0 - found.chance_better)}: large gains in the "
        "others make up for that."
        if found.chance_better < 0.495
        else ""
    )
    return (
        f"{planned}Against the even split the difference lies between "
        f"**{gain.replace(' to ', '** and **')}** in 8 of 10 cases.{few}"
    )


def _is_even(found: BudgetPlan) -> bool:
    return np.array_equal(found.best.messages, found.even.messages)


def _margin(found: BudgetPlan, currency: str) -> str:
    step = _money(found.step_minor, currency)
    last, more = (_signed(money, currency) for money in (found.last_minor, found.next_minor))
    words = f"The last {step} of this budget adds {last} of extra profit, another {step} would add {more}, "
    if found.enough_minor <= found.budget_minor:
        enough = f"More than {_money(found.enough_minor, currency)} brings nothing."
    else:
        enough = f"More money pays up to {_money(found.enough_minor, currency)}."
    return f"{words}the money itself taken off. {enough}"


def _by_campaign(frame: pd.DataFrame, choice: Choice, currency: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Campaign by campaign** :gray[the largest part first]")
        st.space("stretch")
        export_button(
            "budget_plan",
            campaign_ids=choice.campaigns,
            budget_minor=choice.budget_minor,
            days_apart=choice.days_apart,
        )
    shown = pd.DataFrame([_row(row, currency) for row in frame.itertuples(index=False)])
    st.dataframe(
        shown,
        hide_index=True,
        height=35 * (len(shown) + 1) + 3,
        column_config={
            **{name: st.column_config.TextColumn(name, alignment="right") for name in _RIGHT},
            "Campaign": st.column_config.TextColumn(pinned=True, width=180),
            "8 in 10 cases": st.column_config.TextColumn(width=190, alignment="right"),
            "What limits it": st.column_config.TextColumn(width=400),
            "Open": st.column_config.LinkColumn("", display_text="Open", width="small"),
        },
    )
    st.caption(
        "People: who can be sent it now, those held out included. Extra profit: the mean. Lost to the limit, "
        "or to fatigue: because of the other campaigns of the plan."
    )


def _row(row, currency: str) -> dict:
    sent = row.messages > 0
    band = f"{exact(row.low_minor, currency)} to {exact(row.high_minor, currency)}"
    return {
        "Campaign": row.campaign,
        "Budget": exact(row.budget_minor, currency),
        "Share": theme.percent(row.share, 0),
        "Messages": f"{row.messages:,} of {row.reachable:,} people",
        "Extra profit": exact(row.expected_minor, currency),
        "8 in 10 cases": band if sent else "–",
        "What limits it": _limit(row),
        "Lost to the limit": f"{row.capped:,.0f} people",
        "Lost to fatigue": exact(row.tired_minor, currency),
        "Chance of a loss": chance_of(row.chance_of_loss),
        "Even split": exact(row.even_budget_minor, currency),
        "Its extra profit": exact(row.even_expected_minor, currency),
        "Channel": Channel(row.channel).label,
        "Open": f"/campaigns?id={row.campaign_id}",
    }


def _limit(row) -> str:
    if row.limit == limits.BUDGET:
        return f"Budget: {'more people would pay' if row.messages else 'too small for it beside the others'}"
    but = "but those at the message limit" if row.capped >= 0.5 else "who are not held out"
    return {
        limits.AUDIENCE: f"Audience: all {but} are reached",
        limits.COST: "Cost: a message costs more than it brings",
        limits.FIXED: "Fixed cost: higher than all its messages would earn",
        limits.LIMIT: "Message limit: the others need its people's messages",
        limits.FATIGUE: "Fatigue: with the others it would take more than it adds",
    }[row.limit]


def exact(minor: float, currency: str) -> str:
    """An exact amount."""
    return amount(round(minor), currency)


def _money(minor: float, currency: str) -> str:
    return literal(theme.compact_money(round(minor), currency))


def _signed(minor: float, currency: str) -> str:
    return ("+" if round(minor) > 0 else "") + _money(minor, currency)


def _range(draws: np.ndarray, currency: str) -> str:
    low, high = np.quantile(draws, [0.1, 0.9])
    return f"{_money(low, currency)} to {_money(high, currency)}"
