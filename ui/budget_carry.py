"""Carrying a budget plan over into its drafts."""

import streamlit as st

from ma.services import budget_plans
from ma.services.budget_plans import CarriedOver, Ground
from ma.simulation.planner import BudgetPlan
from ma.types import Actor, CampaignStatus, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal


def draw(actor: Actor, ground: Ground, found: BudgetPlan) -> None:
    """Draw the button, for those who may change drafts, and what became of its last use."""
    done = st.session_state.pop("planner-carried", None)
    if done is not None:
        _told(done)
    if not actor.may(Permission.EDIT_CAMPAIGNS):
        return
    given = list(zip(ground.campaigns, map(int, found.best.money_minor), strict=True))
    # A campaign whose messages cost nothing needs no budget.
    drafts = [(row, money) for row, money in given if money and row["status"] == CampaignStatus.DRAFT]
    scheduled = [row["name"] for row, money in given if money and row["status"] == CampaignStatus.SCHEDULED]
    budgets = {row["id"]: (row["version"], money) for row, money in drafts if row["budget_minor"] != money}
    if budgets:
        st.button(
            f"Set the budget of {len(budgets)} draft{'' if len(budgets) == 1 else 's'}",
            type="primary",
            icon=":material/move_down:",
            key="planner-carry",
            on_click=_carry,
            args=(budgets,),
        )
    notes = []
    if drafts and not budgets:
        notes.append("The drafts have these budgets.")
    if not found.best.messages.all():
        notes.append("Campaigns that get nothing keep what they have: leave them unsent.")
    if scheduled:
        names = ", ".join(f"“{literal(name)}”" for name in scheduled)
        notes.append(f"Scheduled campaigns cannot be changed: take {names} back to draft first.")
    if notes:
        st.caption(" ".join(notes))


def _carry(budgets: dict[int, tuple[int, int]]) -> None:
    actor = current_actor()
    with shown(), writing() as session:
        st.session_state["planner-carried"] = budget_plans.carry_over(session, actor, budgets, at=now())


def _told(done: CarriedOver) -> None:
    if done.changed:
        names = ", ".join(f"“{literal(name)}”" for name in done.changed)
        st.success(f"The budget is set in {names}.", icon=":material/check:")
    for name, reason in done.refused:
        st.warning(f"“{literal(name)}” keeps what it has. {literal(reason)}", icon=":material/sync_problem:")
