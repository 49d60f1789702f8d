"""The list of webhooks, and adding one."""

import re

import pandas as pd
import streamlit as st

from ma import clock
from ma.events.messages import MESSAGES
from ma.services.webhooks import LONGEST_NAME, WebhookInfo, create_webhook, webhooks
from ma.settings import settings
from ma.types import Actor
from ma.webhooks.addresses import LONGEST, Allowed, check
from ui import shown_once, tables
from ui.errors import shown
from ui.links import here
from ui.moments import ago
from ui.page import current_actor
from ui.session import reading, writing
from ui.text import literal

_NAMED = 3


def draw(actor: Actor) -> None:
    """Draw all webhooks, those that were given up on first."""
    now = clock.now()
    with reading() as session:
        found = webhooks(session, actor)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "Tell another system, by a signed request, when something happens here. It is told ids and "
            "numbers, no names."
        )
        if st.button("Add webhook", type="primary", icon=":material/add:", key="add-webhook"):
            shown_once.forget()
            _add()
    if not found:
        st.info("No other system is told of anything yet. Add the first one.", icon=":material/webhook:")
        return
    for one in [one for one in found if given_up(one)][:_NAMED]:
        said, way = st.columns([7, 1], vertical_alignment="center")
        said.warning(f"**{literal(one.name)}**: {given_up(one)}", icon=":material/sync_problem:")
        with way:
            here("Open", id=one.webhook_id)
    _table(found, now)


def given_up(one: WebhookInfo) -> str:
    """Why a webhook was disabled without anybody's doing; empty where it was not."""
    if one.disabled_why == "failing":
        waiting = f" {one.pending:,} of its messages wait." if one.pending else ""
        return f"it was disabled because nothing could be delivered for three days.{waiting}"
    if one.disabled_why == "restored":
        return "it was disabled because a backup was restored. Enable it if it is still wanted."
    return "it was disabled because its receiver said that it is gone." if one.disabled_why == "gone" else ""


def state(one: WebhookInfo) -> str:
    """How a webhook is, in a word or two."""
    if one.disabled_at is not None:
        return "Disabled"
    return "Active" if one.failing_since is None else "Failing"


def called(type_: str) -> str:
    """A type of events in words: LeadWon is "Lead won"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type_).capitalize()


def types_input(chosen: tuple[str, ...], key: str) -> list[str]:
    """The types of events to be told of, chosen by their names."""
    return st.multiselect(
        "Tell it when",
        sorted(MESSAGES, key=called),
        default=list(chosen),
        format_func=called,
        placeholder="Choose what happens",
        key=key,
    )


def _table(found: list[WebhookInfo], now) -> None:
    table = pd.DataFrame(
        {
            "name": one.name,
            "state": state(one),
            "events": ", ".join(map(called, one.types)),
            "delivered_at": ago(one.delivered_at, now),
            "delivered": one.delivered,
            "pending": one.pending,
            "failed": one.failed,
            "url": one.url,
        }
        for one in found
    )
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="webhook-list",
        height=min(35 * len(table) + 38, 720),
        column_config={
            "name": st.column_config.TextColumn("System", width="medium", pinned=True),
            "state": st.column_config.TextColumn("State", width="small"),
            "events": st.column_config.TextColumn("Told when", width="medium"),
            "delivered_at": "Last delivery",
            "delivered": tables.count("Delivered"),
            "pending": tables.count("Waiting"),
            "failed": tables.count("Given up"),
            "url": st.column_config.TextColumn("Address", width="large"),
        },
    )
    st.caption("Deliveries of the last seven days. Select a row to see them, to try it, or to change it.")
    if event.selection.rows:
        st.query_params["id"] = str(found[event.selection.rows[0]].webhook_id)
        st.rerun()


@st.dialog("Add webhook", width="medium", icon=":material/webhook:", on_dismiss=shown_once.forget)
def _add() -> None:
    actor = current_actor()
    if shown_once.drawn():
        return
    with st.form("add-webhook-form", border=False):
        name = st.text_input(
            "System", max_chars=LONGEST_NAME, placeholder="Order system", key="new-webhook-name"
        )
        url = st.text_input(
            "Address",
            max_chars=LONGEST,
            placeholder="https://example.com/hook",
            autocomplete="off",
            key="new-webhook-url",
        )
        types = types_input((), "new-webhook-types")
        sent = st.form_submit_button("Add webhook", type="primary", icon=":material/add:")
    if not sent:
        return
    with shown() as attempt:
        # Looked up before the database is held.
        address = check(url, Allowed(settings().webhook_allow))
        with writing() as session:
            made = create_webhook(session, actor, address, name=name, types=types, at=clock.now())
    if attempt.ok:
        shown_once.keep(
            f"The secret with which {literal(name)} can tell that a message is yours:", made.secret
        )
        st.rerun(scope="fragment")
