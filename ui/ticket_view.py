"""One ticket: what went wrong for whom, what can be done, and what was."""

from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st

from ma.analytics import tickets as analytics
from ma.analytics.names import campaign_names, customer_names
from ma.charts.theme import CHANNEL_LABELS
from ma.subscribers import tickets
from ma.types import RESOLUTIONS, Actor, Permission
from ui import case_change
from ui.case_change import change
from ui.lead_words import action, person
from ui.links import here, link
from ui.moments import ago
from ui.session import now, reading, workspace
from ui.text import literal
from ui.ticket_words import KINDS, STATUSES

_ADVICE = {
    "complaint": "Somebody marked the message as spam. Find out why they got it, and apologise.",
    "bounces": "These addresses did not take the message. Correct them, or ask for others.",
    "unsubscriptions": "These people want no more messages in this channel. See whether it was too many, or "
    "the wrong ones.",
}

# Whose people a ticket counts, as the page of people behind the results takes it.
_STEPS = {
    "bounces": {"step": "sent", "not": "delivered"},
    "unsubscriptions": {"step": "unsubscribed"},
}


def show(actor: Actor, ticket_id: int) -> None:
    """Draw the ticket. Raises NotFound."""
    here("All tickets", icon=":material/arrow_back:")
    as_of = now()
    with reading() as session:
        ticket = analytics.ticket(session, ticket_id, as_of=as_of)
        history = analytics.ticket_changes(session, ticket_id=ticket_id, as_of=as_of)
        people = customer_names(session, [ticket["customer_id"]])
        campaigns = campaign_names(session, [ticket["campaign_id"]])
    case_change.refusal()
    campaign = campaigns.get(int(ticket["campaign_id"]), "a campaign that is no longer here")
    may_work = actor.may(Permission.WORK_CASES) and ticket["closed_at"] is None
    _heading(actor, ticket, campaign, may_work)
    _facts(ticket, person(people, ticket["customer_id"]), campaign, as_of)
    with st.container(border=True):
        case_change.note(
            tickets.note_ticket,
            ticket["ticket_id"],
            ticket,
            may_work=may_work,
            longest=tickets.LONGEST_NOTE,
            placeholder="Asked the provider; the domain had expired.",
        )
    case_change.history(history, [action(row, KINDS) for row in history.itertuples()])


def _heading(actor: Actor, ticket: dict, campaign: str, may_work: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        title = f"{KINDS.get(ticket['kind'], ticket['kind'])}: {campaign}"
        st.header(literal(title), anchor=False, width="content")
        if ticket["late"] and ticket["closed_at"] is None:
            st.badge("Late", icon=":material/schedule:", color="orange")
        colour = {"open": "violet", "in progress": "blue"}.get(ticket["status"], "gray")
        st.badge(STATUSES.get(ticket["status"], ticket["status"]), color=colour)
        st.space("stretch")
        if ticket["customer_id"] is not None:
            link("customers", "Their page", icon=":material/person:", id=int(ticket["customer_id"]))
        elif ticket["kind"] in _STEPS:
            of = {"campaigns": int(ticket["campaign_id"])} | _STEPS[ticket["kind"]]
            link("recipients", "The people", icon=":material/group:", **of)
        link("campaigns", "The campaign", icon=":material/campaign:", id=int(ticket["campaign_id"]))
        if not may_work:
            return
        mine = actor.name or actor.username
        if ticket["assignee"] != mine:
            st.button(
                "Take it",
                icon=":material/front_hand:",
                key="take-ticket",
                on_click=_take,
                args=(ticket["ticket_id"], ticket["version"], mine),
                help="You work on it from now on.",
            )
        if st.button("Close ticket", type="primary", icon=":material/check:", key="close-ticket"):
            _close(ticket)


def _take(ticket_id: int, version: int, name: str) -> None:
    change(tickets.take_ticket, ticket_id, assignee=name, version=version, done="It is yours.")


def _facts(ticket: dict, name: str, campaign: str, as_of: datetime) -> None:
    one, timezone = ticket["kind"] == "complaint", workspace().timezone
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric(
            "Who" if one else "People",
            literal(name) if one else f"{int(ticket['people']):,}",
            help=None if one else "Of this campaign, since the last ticket of this kind was closed.",
            height="stretch",
        )
        st.metric("Who works on it", literal(ticket["assignee"] or "Nobody"), height="stretch")
        st.metric("Priority", ticket["priority"].capitalize(), height="stretch")
        st.metric(
            "How it ended" if ticket["closed_at"] is not None else "Due",
            (ticket["resolution"] or "–").capitalize()
            if ticket["closed_at"] is not None
            else f"{ticket['due_at'].astimezone(ZoneInfo(timezone)):%d %b, %H:%M}",
            height="stretch",
        )
    channel = CHANNEL_LABELS.get(ticket["channel"], ticket["channel"])
    st.caption(
        f"{_ADVICE.get(ticket['kind'], '')} · {channel} · first of it {ago(ticket['opened_at'], as_of)}"
    )


def _close(ticket: dict) -> None:
    @st.dialog("Close ticket", icon=":material/check:")
    def ask():
        resolution = st.pills(
            "How it ended", RESOLUTIONS, format_func=str.capitalize, key="resolution", wrap=True
        )
        note = st.text_area(
            "Note",
            value=ticket["note"] or "",
            max_chars=tickets.LONGEST_NOTE,
            height=110,
            placeholder="What was found and done, for whoever looks at it later.",
            key="closing-note",
        )
        closing = {"resolution": resolution, "note": note, "version": ticket["version"]}
        if st.button("Close it", type="primary", key="close-now", disabled=resolution is None) and change(
            tickets.close_ticket, ticket["ticket_id"], done="The ticket is closed.", **closing
        ):
            st.rerun()

    ask()
