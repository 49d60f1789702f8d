"""What a customer did and was sent, in tables: the timeline, their purchases, their messages."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import messages as message_data
from ma.analytics import profile as profiles
from ma.analytics import timeline as story
from ma.charts import customers as charts
from ma.types import Channel
from ui import picture, tables
from ui.export import export_button
from ui.paging import Paging
from ui.session import reading
from ui.text import literal

PAGE = 20
_STORIES = {
    "Purchases": ("purchase", "refund"),
    "Messages": story.MESSAGES,
    "Web visits": ("visit",),
    "Other behaviour": ("behaviour",),
    "Consent": ("consent",),
    "Segments": ("segment",),
    "Notes": ("note",),
}


def timeline(customer_id: int, as_of: datetime, timezone: str) -> None:
    """Everything in order of time, one kind or several."""
    chosen = st.pills(
        "Show only", list(_STORIES), selection_mode="multi", key="story", label_visibility="collapsed"
    )
    kinds = [kind for name in chosen for kind in _STORIES[name]]
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of, "kinds": kinds}
        paging = Paging(
            "story", story.timeline_count(session, **one), PAGE, view=f"{customer_id}-{'-'.join(chosen)}"
        )
        frame = story.timeline(session, **one, limit=paging.limit, offset=paging.offset)
    if frame.empty:
        st.caption("Nothing here yet. Purchases, messages, web visits and the rest appear as they happen.")
        return
    frame["kind"] = frame["kind"].map(story.KINDS)
    st.dataframe(
        tables.major(frame, ["amount_minor"])[["at", "kind", "title", "detail", "amount"]],
        hide_index=True,
        height="content",
        column_config={
            "at": tables.moment("When", timezone, width=150),
            "kind": st.column_config.TextColumn("What", width=130),
            "title": st.column_config.TextColumn("Title", width="large"),
            "detail": "Detail",
            "amount": tables.money("Amount", width=90),
        },
        placeholder="–",
        key="timeline-table",
    )
    _pages(paging, "entries", "timeline", customer_id=customer_id, kinds=",".join(kinds) or None)


def purchases(customer_id: int, as_of: datetime, timezone: str) -> None:
    """Orders and refunds; the lines of the one that is ticked."""
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of}
        paging = Paging("purchases", profiles.purchase_count(session, **one), PAGE, view=str(customer_id))
        frame = profiles.customer_purchases(session, **one, limit=paging.limit, offset=paging.offset)
    if frame.empty:
        st.caption("No orders yet. They appear here, with what was in them, after the first purchase.")
        return
    left, right = st.columns([5, 3], gap="medium")
    with left:
        rows = _order_table(customer_id, frame, paging.page, timezone)
        _pages(paging, "orders and refunds", "customer_purchases", customer_id=customer_id)
    with right, st.container(border=True):
        if rows:
            _order(customer_id, frame.iloc[rows[0]], as_of)
        else:
            st.caption("Tick an order to see what was in it.")


def _order_table(customer_id: int, frame: pd.DataFrame, page: int, timezone: str) -> list[int]:
    """One page of orders; the row that is ticked, if one is."""
    table = tables.major(frame.assign(kind=frame["kind"].str.capitalize()), ["amount_minor"])
    chosen = st.dataframe(
        table[["at", "external_key", "kind", "items", "categories", "amount"]],
        hide_index=True,
        height="content",
        column_config={
            "at": tables.moment("When", timezone, width=145),
            "external_key": st.column_config.TextColumn("Order", width=90),
            "kind": st.column_config.TextColumn("Kind", width=70),
            "items": tables.count("Items", width=60),
            "categories": tables.count("Categories", width=85),
            "amount": tables.money("Amount", width=90),
        },
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        # Another page has other rows: what was ticked there means nothing here.
        key=f"purchases-table-{customer_id}-{page}",
    )
    return [row for row in chosen["selection"]["rows"] if row < len(frame)]


def _order(customer_id: int, order: pd.Series, as_of: datetime) -> None:
    with reading() as session:
        lines = profiles.order_lines(
            session, customer_id=customer_id, purchase_id=int(order["purchase_id"]), as_of=as_of
        )
    named = "The order" if pd.isna(order["external_key"]) else f"Order {order['external_key']}"
    st.markdown(f"**{literal(named)}**")
    if lines.empty:
        st.caption("What was in it is not known; only its amount is.")
        return
    columns = ["category", "product", "quantity", "amount"]
    st.dataframe(
        # A shop that tells categories only needs no column of unknown products.
        tables.major(lines, ["amount_minor"])[columns].dropna(axis=1, how="all"),
        hide_index=True,
        height="content",
        column_config={
            "category": "Category",
            "product": "Product",
            "quantity": tables.count("Items"),
            "amount": tables.money("Amount"),
        },
        placeholder="–",
        key="order-lines",
    )


def messages(customer_id: int, as_of: datetime, timezone: str) -> None:
    """How far their messages got, and what became of each."""
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of}
        reached = message_data.customer_messages(session, **one)
        paging = Paging("messages", message_data.message_count(session, **one), PAGE, view=str(customer_id))
        frame = message_data.messages_sent(session, **one, limit=paging.limit, offset=paging.offset)
    if frame.empty:
        st.caption("They were sent no message yet. Those of campaigns they are in appear here.")
        return
    _head("How far their messages got", "messages", "customer_message_steps", customer_id)
    picture.chart(charts.messages(reached), key="message-steps")
    if (reached["of"] != reached["of"].max()).any():
        st.caption("A channel that does not tell about a step is left out of it: unknown is not zero.")
    frame["channel"] = frame["channel"].map({channel.value: channel.label for channel in Channel})
    st.dataframe(
        tables.major(frame, ["revenue_minor"])[["sent_at", "campaign", "channel", "response", "revenue"]],
        hide_index=True,
        height="content",
        column_config={
            "sent_at": tables.moment("Sent", timezone, width=150),
            "campaign": st.column_config.TextColumn("Campaign", width="medium"),
            "channel": "Channel",
            "response": st.column_config.TextColumn("What they did", width="medium"),
            "revenue": tables.money("Bought"),
        },
        placeholder="–",
        key="messages-table",
    )
    _pages(paging, "messages", "messages_sent", customer_id=customer_id)


def _head(title: str, unit: str, frame: str, customer_id: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}** :gray[{unit}]")
        st.space("stretch")
        export_button(frame, key=f"export-{frame}", customer_id=customer_id)


def _pages(paging: Paging, noun: str, frame: str, **params: object) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{paging.total:,} {noun}", width="content")
        st.space("stretch")
        paging.draw()
        export_button(frame, key=f"export-{frame}", **params)
