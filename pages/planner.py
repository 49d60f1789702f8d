"""Budget planner: one budget for several drafts, split so that it should earn most."""

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.services.budget_plans import FEWEST, MOST
from ma.services.forecasts import DRAWS
from ma.types import Permission
from ui import budget_carry, budget_choice, budget_kept, budget_plan
from ui.errors import shown
from ui.links import link
from ui.page import page
from ui.session import now, reading, workspace
from ui.text import literal

actor = page(
    "Budget planner",
    Permission.READ,
    subtitle="One budget, several campaigns: the split that should earn most, and how sure that is.",
)

place, as_of = workspace(), now()
with reading() as session:
    everything = campaign_list.campaigns(session, as_of=as_of, archived=False)
plannable = everything[everything["status"].isin(["draft", "scheduled"])]
if len(plannable) < FEWEST:
    st.info(
        "**Nothing to split.** With two or more drafts or scheduled campaigns, this page says how much of a "
        "budget to give each, what that should earn, and how it compares with equal parts.",
        icon=":material/call_split:",
    )
    link("campaigns", "Plan a campaign")
    st.stop()

choice = budget_choice.draw(plannable, place.currency)
if len(choice.campaigns) < FEWEST:
    st.info(f"Choose {FEWEST} to {MOST} campaigns that share one budget.", icon=":material/checklist:")
    st.stop()
with shown() as attempt:
    ground, key = budget_kept.ground(choice, as_of)
if not attempt.ok:
    st.stop()
for out in ground.left_out:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(f"**“{literal(out.name)}” is left out.** {literal(out.reason)}", icon=":material/block:")
        link("campaigns", "Open it", id=out.campaign_id)
if not ground.candidates:
    st.info("None of these campaigns can be planned yet.", icon=":material/block:")
    st.stop()
if choice.budget_minor is None:
    total = literal(budget_plan.exact(ground.everything_minor, place.currency))
    st.info(
        f"Type a budget. To send all of them to everybody they can reach would cost {total}.",
        icon=":material/payments:",
    )
    st.stop()
with shown() as attempt:
    found = budget_kept.plan(ground, key, choice, place.currency)
if not attempt.ok:
    st.stop()
budget_plan.draw(ground, found, choice, place.currency)
budget_carry.draw(actor, ground, found)
st.caption(
    f"As things are now, {as_of:%d %b %Y, %H:%M} UTC, with the segments' members as of their last refresh. "
    "A campaign's own budget is set aside, its holdout kept; who is sent it is drawn by lot. The expectation "
    f"is over all that is believed; ranges and chances come from {DRAWS:,} simulated cases, the same for the "
    "plan and the even split. Other campaigns still to come, and what unsubscribing costs later, are not "
    "counted."
)
