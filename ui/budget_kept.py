"""Budget plans that were worked out already, kept for this person until something changes."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st

from ma.money import unit
from ma.services import budget_plans, forecasts
from ma.services.budget_plans import Ground
from ma.simulation.planner import BudgetPlan
from ui.budget_choice import Choice
from ui.session import reading

_MOST = 6


def ground(choice: Choice, as_of: datetime) -> tuple[Ground, tuple]:
    """What the plans of the chosen campaigns stand on, and the key under which they are kept."""
    with reading() as session:
        state = (forecasts.data_version(session), as_of.replace(minute=0, second=0, microsecond=0))
    key = (tuple(sorted(choice.campaigns)), choice.days_apart, *state)

    def work() -> Ground:
        with st.spinner("Counting whom each campaign could reach …"), reading() as session:
            return budget_plans.ground(session, choice.campaigns, at=as_of, days_apart=choice.days_apart)

    return _kept(key, work), key


def plan(ground: Ground, key: tuple, choice: Choice, currency: str) -> BudgetPlan:
    """The plan of one budget."""

    def work() -> BudgetPlan:
        with st.spinner("Looking for the best split …"):
            return budget_plans.plan(ground, choice.budget_minor, step_minor=100 * unit(currency))

    return _kept((*key, choice.budget_minor), work)


def _kept(key: tuple, work: Callable):
    kept = st.session_state.setdefault("budgets-kept", {})
    if key not in kept:
        found = work()
        while len(kept) >= _MOST:
            kept.pop(next(iter(kept)))
        kept[key] = found
    return kept[key]
