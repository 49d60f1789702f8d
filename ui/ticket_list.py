"""What Service has to look into: its figures, tickets by what they are about, and the tickets themselves."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import tickets as analytics
from ma.analytics.names import campaign_names, customer_names
from ma.charts import tickets as charts
from ma.charts.theme import CHANNEL_LABELS
from ui import tables
from ui.export import export_button
from ui.lead_words import person
from ui.links import link
from ui.paging import Paging
from ui.picture import chart
from ui.session import now, reading
from ui.ticket_words import KINDS, NOT_CLOSED, STATUSES

_ROWS = 50


def draw() -> None:
    """Draw the tickets, or what a ticket is where there is none yet."""
    as_of = now()
    with reading() as session:
        summary = analytics.ticket_summary(session, as_of=as_of)
        suppressed = analytics.suppressed_count(session, as_of=as_of)
    if summary.empty:
        st.info(
            "**No tickets yet.** Each complaint about a campaign becomes a ticket by itself, and so do all "
            "bounces, and all unsubscriptions, of one campaign together. There is nothing to look into.",
            icon=":material/support_agent:",
        )
        link("campaigns", "See the campaigns")
        return
    _cards(summary, suppressed)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Tickets by reason**", width="content")
            st.space("stretch")
            export_button("ticket_summary")
        chart(charts.by_kind(summary), key="ticket-kinds")
    _tickets(as_of)


def _cards(summary: pd.DataFrame, suppressed: int) -> None:
    total = summary[["open", "in_progress", "late", "closed"]].sum()
    with st.grid(columns=4, border=True, min_column_width=150):
        waiting = int(total["open"] + total["in_progress"])
        st.metric(
            "To do",
            f"{waiting:,}",
            f"{int(total['in_progress']):,} in progress" if total["in_progress"] else None,
            delta_color="off",
            delta_arrow="off",
            help="Tickets that are not closed.",
            height="stretch",
        )
        st.metric(
            "Late",
            f"{int(total['late']):,}",
            help="Not closed although due: a complaint within a day, other tickets within five.",
            height="stretch",
        )
        st.metric("Closed", f"{int(total['closed']):,}", height="stretch")
        st.metric(
            "Suppressed",
            f"{suppressed:,}",
            help="People who are not to be written to, counted in each channel; see Suppressions.",
            height="stretch",
        )


def _tickets(as_of: datetime) -> None:
    st.subheader("Tickets", anchor=False)
    status, kind = _filters()
    with reading() as session:
        count = analytics.ticket_count(session, status=status, kind=kind)
        paging = Paging("page", count, _ROWS, view=f"tickets-{status}-{kind}", in_address=True)
        frame = analytics.tickets(
            session, as_of=as_of, status=status, kind=kind, limit=_ROWS, offset=paging.offset
        )
        people = customer_names(session, frame["customer_id"])
        campaigns = campaign_names(session, frame["campaign_id"])
    if frame.empty:
        st.caption("No ticket is like that. Everything is done, or choose another reason.")
        return
    table = frame.assign(
        kind_name=frame["kind"].map(KINDS),
        who=[
            person(people, row.customer_id) if row.kind == "complaint" else _people(row.people)
            for row in frame.itertuples()
        ],
        campaign=frame["campaign_id"].map(campaigns),
        channel=frame["channel"].map(CHANNEL_LABELS),
        state=[_state(row) for row in frame.itertuples()],
    )
    _table(table, key=f"ticket-list-{status}-{kind}-{paging.page}")
    paging.draw()
    st.caption(
        f"{count:,} {'ticket' if count == 1 else 'tickets'}, those that are due first on top · as of "
        f"{as_of:%d %b %Y, %H:%M} UTC · select a row to open it"
    )


def _filters() -> tuple[str, str | None]:
    with st.container(horizontal=True, vertical_alignment="bottom", key="ticket-filters"):
        status = st.pills(
            "Status",
            list(STATUSES),
            format_func=STATUSES.get,
            key="state",
            bind="query-params",
            help="Without a choice: all that are not closed.",
            width="content",
        )
        kind = st.pills(
            "Reason", list(KINDS), format_func=KINDS.get, key="reason", bind="query-params", width="content"
        )
        st.space("stretch")
        wanted = status or NOT_CLOSED
        export_button("tickets", status=wanted, kind=kind)
    return wanted, kind


def _table(table: pd.DataFrame, *, key: str) -> None:
    shown = ["kind_name", "who", "campaign", "channel", "state", "due_at", "assignee"]
    event = st.dataframe(
        table[[*shown, "resolution"] if table["resolution"].notna().any() else shown],
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        height=min(35 * len(table) + 38, 720),
        column_config={
            "kind_name": st.column_config.TextColumn("Reason", pinned=True),
            "who": st.column_config.TextColumn("Who", width="medium"),
            "campaign": st.column_config.TextColumn("Campaign", width="medium"),
            "channel": "Channel",
            "state": "Status",
            "due_at": tables.moment("Due"),
            "assignee": "Who works on it",
            "resolution": "How it ended",
        },
    )
    if event.selection.rows:
        st.query_params.from_dict({"id": str(int(table.iloc[event.selection.rows[0]]["ticket_id"]))})
        st.rerun()


def _people(people: int) -> str:
    return "1 person" if people == 1 else f"{people:,} people"


def _state(row) -> str:
    status = STATUSES.get(row.status, row.status)
    return f"{status}, late" if row.late and pd.isna(row.closed_at) else status
