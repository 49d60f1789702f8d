"""From an action to a segment of its people, and to a draft for them."""

import pandas as pd
import streamlit as st

from ma.charts.next_actions import label
from ma.services import next_action_drafts as drafts
from ma.services.campaign_fields import LONGEST_NAME
from ma.settings import ROOT
from ma.types import Actor, Channel, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal

# In the address between channel and offer; an offer may hold any other character.
_BETWEEN = "~"


def draw(actor: Actor, frame: pd.DataFrame, prices: dict) -> None:
    """Draw the choice of an action, kept in the address, and the two ways on."""
    if not (actor.may(Permission.EDIT_SEGMENTS) and actor.may(Permission.EDIT_CAMPAIGNS)):
        return
    chosen = _chosen(frame)
    people = _people(frame, *chosen)
    with st.container(border=True, key="next-action-on"):
        st.markdown("**Go on with an action**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = _choice(frame, chosen)
            people = _people(frame, *chosen)
            pressed = st.button(
                f"Make a segment of {people:,} people", icon=":material/filter_alt:", key="next-segment"
            )
        if pressed:
            _segment(*chosen)
        if chosen[0] in prices:
            _draft(*chosen)


def _options(frame: pd.DataFrame) -> list[tuple[Channel, str | None]]:
    """Each channel as a whole, and each of its offers; the largest sums first."""
    whole = frame.groupby("channel")["profit_minor"].sum().sort_values(ascending=False)
    found: list[tuple[Channel, str | None]] = []
    for channel in whole.index:
        offers = frame.loc[(frame["channel"] == channel) & frame["offer"].notna(), "offer"]
        found += [(Channel(channel), None), *((Channel(channel), offer) for offer in offers)]
    return found


def _chosen(frame: pd.DataFrame) -> tuple[Channel, str | None]:
    """The action in the address, else the first."""
    options = _options(frame)
    channel, _, offer = st.query_params.get("action", "").partition(_BETWEEN)
    wanted = (channel, offer or None)
    return next((one for one in options if (one[0].value, one[1]) == wanted), options[0])


def _choice(frame: pd.DataFrame, current: tuple[Channel, str | None]) -> tuple[Channel, str | None]:
    options = _options(frame)
    names = [
        label(channel.value, offer) if offer else f"{channel.label} · every offer"
        for channel, offer in options
    ]
    place = st.selectbox(
        "Action",
        range(len(options)),
        index=options.index(current),
        format_func=lambda place: names[place] if place < len(names) else "",
        key="next-action-chosen",
        width=320,
    )
    channel, offer = options[place]
    if place:
        st.query_params["action"] = channel.value + (f"{_BETWEEN}{offer}" if offer else "")
    else:
        st.query_params.pop("action", None)
    return channel, offer


def _people(frame: pd.DataFrame, channel: Channel, offer: str | None) -> int:
    mine = frame[frame["channel"] == channel.value]
    return int((mine if offer is None else mine[mine["offer"] == offer])["people"].sum())


def _segment(channel: Channel, offer: str | None) -> None:
    with shown() as attempt, writing() as session:
        segment_id = drafts.make_segment(session, current_actor(), channel, offer, at=now())
    if attempt.ok:
        st.switch_page(str(ROOT / "pages" / "segments.py"), query_params={"id": str(segment_id)})


def _draft(channel: Channel, offer: str | None) -> None:
    """The words that only a person can write; all else of the draft is known."""
    name = f"{channel.label}: {offer}" if offer else f"Next best: {channel.label}"
    key = f"{channel.value}-{offer or ''}"
    with st.expander("Draft a campaign for them", icon=":material/edit_note:"):
        name = st.text_input("Name", name[:LONGEST_NAME], max_chars=LONGEST_NAME, key=f"next-name-{key}")
        subject = ""
        if channel is Channel.EMAIL:
            subject = st.text_input("Subject", key=f"next-subject-{key}")
        body = st.text_area("Message", key=f"next-body-{key}", height=110)
        st.caption(
            f"It goes to the segment “{literal(drafts.title(channel, offer))}”, with the cost and conversion "
            f"window that the expectation stands on. {drafts.HOLDOUT * 100:.0f} % are held out, so that what "
            "it really causes can be told. Everything can be changed in the draft."
        )
        pressed = st.button("Save as draft", type="primary", icon=":material/save:", key="next-draft")
    if not pressed:
        return
    with shown() as attempt, writing() as session:
        campaign_id = drafts.make_draft(
            session, current_actor(), channel, offer, name=name, subject=subject, body=body, at=now()
        )
    if attempt.ok:
        st.switch_page(str(ROOT / "pages" / "campaigns.py"), query_params={"id": str(campaign_id)})
