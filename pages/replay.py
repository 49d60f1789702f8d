"""Replay: what would have come of a launched campaign, had one thing been different."""

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.errors import Conflict, InvalidInput, InvalidRule
from ma.services import replays
from ma.text import whole_number
from ma.types import Permission, Source
from ui import replay_changes, replay_form, replay_kept, replay_view
from ui.links import link
from ui.page import current_actor, page
from ui.session import now, reading, workspace
from ui.text import literal

actor = page(
    "Replay",
    Permission.READ,
    subtitle="What would have come of a launched campaign, had one thing been different: the same people, "
    "the same luck.",
)

place, as_of = workspace(), now()
with reading() as session:
    everything = campaign_list.campaigns(session, as_of=as_of)
launched = everything[(everything["source"] == Source.SIMULATED) & everything["launched_at"].notna()]
asked = whole_number(st.query_params.get("campaign", ""))
if asked is not None and asked not in set(launched["campaign_id"]):
    if asked in set(everything["campaign_id"]):
        with reading() as session:
            reason = replays.why_not(campaign_list.campaign(session, asked))
        st.warning(f"**It cannot be replayed.** {literal(reason)}", icon=":material/replay:")
        link("campaigns", "Open the campaign", id=asked)
    else:
        st.caption("The campaign in the address is not there. Choose another one.")
if launched.empty:
    st.info(
        "**Nothing to replay.** This page runs a campaign that was launched here once more, with another "
        "offer, holdout, cap or segment. It fills with the first launch.",
        icon=":material/replay:",
    )
    link("campaigns", "Plan a campaign")
    st.stop()


def _another() -> None:
    current_actor()
    st.query_params.pop("change", None)
    if (campaign_id := st.session_state["replay-campaign"]) is None:
        st.query_params.pop("campaign", None)
    else:
        st.query_params["campaign"] = str(campaign_id)


names = {int(row.campaign_id): f"{row.name} ({row.launched_at:%d %b %Y})" for row in launched.itertuples()}
ids = list(names)
chosen = st.selectbox(
    "Campaign",
    ids,
    index=ids.index(asked) if asked in names else None if asked is not None else 0,
    format_func=names.get,
    key="replay-campaign",
    on_change=_another,
    placeholder="Choose a campaign",
    help="Launched here and simulated, the newest first. Real results cannot be run again.",
)
if chosen is None:
    st.stop()
st.query_params["campaign"] = str(chosen)

with reading() as session:
    blocked = replays.why_not(campaign_list.campaign(session, chosen))
    campaign = None if blocked else replays.launched(session, chosen)
    every = replay_changes.segments(session, as_of=as_of)
if blocked:
    st.warning(literal(blocked), icon=":material/replay:")
    st.stop()
fields = replay_changes.fields(campaign, place.currency)
change = replay_form.draw(campaign, fields, every, place.currency)
made = replay_changes.read(change, fields, every)
try:
    found = replay_kept.replayed(
        campaign, replay_changes.changes(campaign, made, place.currency), change, as_of
    )
except (Conflict, InvalidInput, InvalidRule) as error:
    st.warning(f"**It could not have been sent like that.** {literal(error)}", icon=":material/error:")
    st.stop()
words = replay_changes.in_words(made, fields, every, place.currency)
replay_view.draw(found, change, words, place.currency)
link("campaigns", "Open the campaign", id=chosen)
