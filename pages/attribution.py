"""Attribution: how models divide the conversions of a period among the messages before them."""

import streamlit as st

from ma.analytics import journeys
from ma.analytics.touches import CONVERSIONS, TOUCHES
from ma.types import Permission
from ui import attribution_choice, attribution_kept, attribution_view
from ui.links import link
from ui.page import page
from ui.period import words
from ui.session import now, reading, workspace

actor = page(
    "Attribution",
    Permission.READ,
    subtitle="How models divide conversions among the messages that came before them.",
)

place, as_of = workspace(), now()
with reading() as session:
    kinds = journeys.kinds_of_conversion(session)
    messages = journeys.any_message(session, as_of=as_of)
    simulated = journeys.any_simulated(session, as_of=as_of)
if not messages or not kinds:
    wanted = "purchases" if messages else "a campaign that was sent to people, here or in a file"
    st.info(
        "**Nothing to divide yet.** This page shows which messages came before each conversion, and how "
        f"models credit them. It takes {wanted}.",
        icon=":material/account_tree:",
    )
    if not messages and actor.may(Permission.EDIT_CAMPAIGNS):
        link("campaigns", "Plan a campaign")
    elif messages and actor.may(Permission.IMPORT):
        link("files", "Import purchases from a file", icon=":material/upload:")
    st.stop()

choice = attribution_choice.draw(kinds)
asked = choice.question
found = attribution_kept.journeys(asked, as_of)
if not found.conversions:
    st.info(
        f"**No conversions in this period** ({words(asked.start, asked.end)}). Choose a longer one.",
        icon=":material/account_tree:",
    )
    st.stop()
attribution_view.draw(found, choice, currency=place.currency)
if simulated and asked.conversion == "purchases":
    st.caption(
        ":material/info: Some of these messages are simulated: nobody bought because of them. What they "
        "brought in the simulation are the conversions that campaigns recorded (under “What counts”)."
    )
st.caption(
    "**Attribution divides credit; it does not prove cause.** Whoever gets a message may have bought "
    "anyway. What a campaign caused, its holdout tells."
)
link("experiments", "See what holdouts and tests found", icon=":material/science:")
st.caption(
    f"{words(asked.start, asked.end)} · as of {as_of:%d %b %Y, %H:%M} UTC · conversions: "
    f"{CONVERSIONS[asked.conversion].lower()} · touches: {TOUCHES[asked.touch].lower()}, "
    f"{choice.window} back · campaigns known only as totals have no journeys"
)
