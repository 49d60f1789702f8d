"""Who is not to be written to, in which channel and why; and lifting what no longer holds."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import tickets as analytics
from ma.analytics.names import campaign_names, customer_names
from ma.charts.theme import CHANNEL_LABELS
from ma.subscribers.suppressions import lift_suppression
from ma.types import LIFT_REASONS, Actor, Permission
from ui import case_change, tables
from ui.case_change import change
from ui.export import export_button
from ui.lead_words import person
from ui.paging import Paging
from ui.session import now, reading
from ui.text import literal
from ui.ticket_words import REASONS

_ROWS = 50


def draw(actor: Actor) -> None:
    """Draw everybody who is suppressed, or what that means where nobody is."""
    as_of = now()
    with reading() as session:
        summary = analytics.suppressions(session, as_of=as_of)
    case_change.refusal()
    if summary.empty:
        st.info(
            "**Nobody is suppressed.** Whoever bounces, unsubscribes or complains is not written to in that "
            "channel any more; they appear here by themselves.",
            icon=":material/notifications_active:",
        )
        return
    with st.grid(columns=len(REASONS) + 1, border=True, min_column_width=150):
        by_reason = summary.groupby("reason")["customers"].sum()
        st.metric("Suppressed", f"{int(by_reason.sum()):,}", help="People, counted in each channel.")
        for reason, label in REASONS.items():
            st.metric(label, f"{int(by_reason.get(reason, 0)):,}")
    _people(actor, summary, as_of)


def _people(actor: Actor, summary: pd.DataFrame, as_of: datetime) -> None:
    channel, reason = _filters(summary)
    with reading() as session:
        count = analytics.suppressed_count(session, as_of=as_of, channel=channel, reason=reason)
        paging = Paging("page", count, _ROWS, view=f"suppressed-{channel}-{reason}", in_address=True)
        frame = analytics.suppressed_people(
            session, as_of=as_of, channel=channel, reason=reason, limit=_ROWS, offset=paging.offset
        )
        people = customer_names(session, frame["customer_id"])
        campaigns = campaign_names(session, frame["campaign_id"])
    if frame.empty:
        st.caption("Nobody is suppressed for that reason in that channel.")
        return
    may_lift = actor.may(Permission.WORK_CASES)
    choosing = {"on_select": "rerun", "selection_mode": "single-row"} if may_lift else {}
    table = frame.assign(
        customer=[person(people, i) for i in frame["customer_id"]],
        channel_name=frame["channel"].map(CHANNEL_LABELS),
        why=frame["reason"].map(REASONS),
        campaign=frame["campaign_id"].map(campaigns),
    )
    event = st.dataframe(
        table[["customer", "channel_name", "why", "since", "campaign"]],
        hide_index=True,
        placeholder="–",
        key=f"suppressed-{channel}-{reason}-{paging.page}-{count}",
        height=min(35 * len(table) + 38, 720),
        column_config={
            "customer": st.column_config.TextColumn("Customer", width="medium", pinned=True),
            "channel_name": "Channel",
            "why": "Why",
            "since": tables.moment("Since"),
            "campaign": st.column_config.TextColumn("Campaign", width="medium"),
        },
        **choosing,
    )
    paging.draw()
    people_word = "person" if count == 1 else "people"
    how = " · select a row to lift a suppression" if may_lift else ""
    st.caption(f"{count:,} {people_word}, the latest first · as of {as_of:%d %b %Y, %H:%M} UTC{how}")
    if may_lift and event.selection.rows:
        _chosen(table.iloc[event.selection.rows[0]])


def _filters(summary: pd.DataFrame) -> tuple[str | None, str | None]:
    with st.container(horizontal=True, vertical_alignment="bottom", key="suppression-filters"):
        channels = [name for name in CHANNEL_LABELS if (summary["channel"] == name).any()]
        channel = st.pills(
            "Channel",
            channels,
            format_func=CHANNEL_LABELS.get,
            key="in",
            bind="query-params",
            width="content",
        )
        reason = st.pills(
            "Why", list(REASONS), format_func=REASONS.get, key="because", bind="query-params", width="content"
        )
        st.space("stretch")
        export_button("suppressed_people", channel=channel, reason=reason)
    return channel, reason


def _chosen(row) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="lift-row"):
        words = f"{row.customer}: {row.channel_name}, {row.why.lower()}"
        st.markdown(f"**{literal(words)}**", width="stretch")
        if st.button("Lift the suppression", icon=":material/notifications_active:", key="lift"):
            _lift(int(row.customer_id), row.channel, row.reason, words)


def _lift(customer_id: int, channel: str, reason: str, words: str) -> None:
    @st.dialog("Lift the suppression", icon=":material/notifications_active:")
    def ask():
        st.markdown(literal(words))
        st.caption(_BOUNCED if reason == "bounced" else _THEIR_WORD)
        why = st.pills("Why", LIFT_REASONS, format_func=str.capitalize, key="lift-why", wrap=True)
        if st.button("Lift it", type="primary", key="lift-now", disabled=why is None) and change(
            lift_suppression, customer_id, channel=channel, why=why, done="The suppression is lifted."
        ):
            st.rerun()

    ask()


_BOUNCED = (
    "They are taken off Service's list, and campaigns sent from here include them again, where they allow "
    "the channel. A later bounce puts them back on the list."
)
_THEIR_WORD = (
    "They are taken off Service's list, and the other modules are told. Campaigns sent from here go on "
    "leaving them out in this channel: what a person has said themselves, nobody here can take back."
)
