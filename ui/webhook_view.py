"""One webhook: how it is, what it was sent, and what can be done about it."""

import pandas as pd
import streamlit as st

from ma import clock
from ma.services import webhooks as service
from ma.services.webhooks import DELIVERED, FAILED, PENDING, DeliveryInfo, WebhookInfo
from ma.subscribers.deliveries import send_next
from ma.types import Actor
from ui import shown_once, tables
from ui.errors import shown
from ui.links import here
from ui.moments import ago
from ui.page import current_actor
from ui.session import database, reading, writing
from ui.text import literal
from ui.webhook_list import called, given_up, state, types_input

_SHOWN = 200
_ALL = "all"
_STATES = {_ALL: "All", PENDING: "Waiting", DELIVERED: "Delivered", FAILED: "Given up"}
_BADGES = {"Active": ("check", "green"), "Failing": ("sync_problem", "orange"), "Disabled": ("block", "gray")}


def draw(actor: Actor, webhook_id: int) -> None:
    """Draw a webhook with its latest deliveries."""
    here("All webhooks", icon=":material/arrow_back:")
    with reading() as session:
        found = {one.webhook_id: one for one in service.webhooks(session, actor)}
    one = found.get(webhook_id)
    if one is None:
        st.error("There is no such webhook. Choose one from the list.", icon=":material/error:")
        return
    _head(one)
    _actions(one)
    _deliveries(actor, one)


def _head(one: WebhookInfo) -> None:
    icon, colour = _BADGES[state(one)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(one.name), anchor=False, width="content")
        st.badge(state(one), icon=f":material/{icon}:", color=colour)
    st.text(one.url)
    now = clock.now()
    st.caption(
        f"Told when: {', '.join(map(called, one.types))}. Last delivery: {ago(one.delivered_at, now)}. "
        f"Added {ago(one.created_at, now)} by {literal(one.created_by)}."
    )
    if words := given_up(one):
        st.warning(
            f"{words.capitalize()} See below what went wrong, mend it, then enable it again.",
            icon=":material/sync_problem:",
        )
    elif one.failing_since is not None and one.disabled_at is None:
        st.warning(
            f"It began to fail {ago(one.failing_since, now)}, and nothing arrived since. It is tried again "
            "by itself, less and less often, and disabled after three days.",
            icon=":material/sync_problem:",
        )


def _actions(one: WebhookInfo) -> None:
    with st.container(horizontal=True):
        test = st.button("Send a test", icon=":material/send:", key="test-webhook")
        if one.disabled_at is None:
            if st.button("Disable", icon=":material/block:", key="disable-webhook"):
                _change(service.disable_webhook, one.webhook_id, "It is told of nothing any more.")
        elif st.button("Enable", type="primary", icon=":material/check:", key="enable-webhook"):
            _change(service.enable_webhook, one.webhook_id, "It is told again from now on.")
        if st.button("Change events", icon=":material/tune:", key="change-webhook"):
            _change_types(one.webhook_id, one.types)
        if st.button("New secret", icon=":material/lock_reset:", key="renew-webhook"):
            shown_once.forget()
            _renew(one.webhook_id)
        if st.button("Delete", icon=":material/delete:", key="delete-webhook"):
            _delete(one.webhook_id, one.name)
    if test:
        _test(one.webhook_id)


def _test(webhook_id: int) -> None:
    with shown() as attempt, st.spinner("Sending …"):
        with writing() as session:
            delivery_id = service.add_test(session, current_actor(), webhook_id, at=clock.now())
        answer = send_next(database(), webhook_id, delivery_id=delivery_id)
    if not attempt.ok:
        return
    if answer is None or answer.error:
        words = answer.error if answer else "It was deleted meanwhile."
        st.error(f"The test was not taken. {literal(words)}", icon=":material/error:")
    else:
        took = f"{answer.seconds * 1_000:,.0f} ms"
        st.success(f"The test was taken: answered {answer.status} after {took}.", icon=":material/check:")


def _change(what, webhook_id: int, words: str) -> None:
    with shown() as attempt, writing() as session:
        what(session, current_actor(), webhook_id, at=clock.now())
    if attempt.ok:
        st.toast(words, icon=":material/check:")
        st.rerun()


def _deliveries(actor: Actor, one: WebhookInfo) -> None:
    chosen = st.segmented_control(
        "Which deliveries",
        list(_STATES),
        format_func=lambda name: _label(one, name),
        default=_ALL,
        required=True,
        label_visibility="collapsed",
        key=f"webhook-states-{one.webhook_id}",
    )
    with reading() as session:
        wanted = None if chosen == _ALL else chosen
        found = service.deliveries(session, actor, one.webhook_id, state=wanted, limit=_SHOWN)
    if not found:
        st.caption(
            "Nothing was sent yet. Send a test, or wait until something happens."
            if chosen == _ALL
            else "There are none of these."
        )
        return
    rows = _table(found)
    if one.disabled_at is not None:
        if rows:
            st.caption("Enable the webhook first.")
    elif rows:
        _retry_chosen(one.webhook_id, [found[row] for row in rows])
    elif one.failed + one.pending and st.button(
        f"Try {one.failed + one.pending:,} again now", icon=":material/replay:", key="retry-all"
    ):
        _change(service.retry_deliveries, one.webhook_id, "They are sent now.")


def _label(one: WebhookInfo, name: str) -> str:
    counts = {PENDING: one.pending, DELIVERED: one.delivered, FAILED: one.failed}
    counts[_ALL] = sum(counts.values())
    return f"{_STATES[name]} {counts[name]:,}"


def _table(found: list[DeliveryInfo]) -> list[int]:
    """The latest deliveries; the rows that are selected."""
    now = clock.now()
    table = pd.DataFrame(
        {
            "type": called(one.type),
            "state": _STATES[one.state],
            "answer": one.error or (f"Taken ({one.status})" if one.state == DELIVERED else None),
            "attempts": one.attempts,
            "tried": ago(one.tried_at, now) if one.tried_at else None,
            "next": _when(one, now),
            "duration_ms": one.duration_ms,
            "event_id": one.event_id,
        }
        for one in found
    )
    event = st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"webhook-deliveries-{found[0].delivery_id}-{len(found)}",
        height=min(35 * len(table) + 38, 560),
        column_config={
            "type": st.column_config.TextColumn("What happened", width="medium", pinned=True),
            "state": st.column_config.TextColumn("State", width="small"),
            "answer": st.column_config.TextColumn("Answer", width="medium"),
            "attempts": tables.count("Times tried"),
            "tried": "Last try",
            "next": "Next try",
            "duration_ms": st.column_config.NumberColumn("Took", format="%,d ms"),
            "event_id": "Message id",
        },
    )
    latest = f"The latest {_SHOWN:,}. " if len(found) == _SHOWN else ""
    st.caption(f"{latest}Select rows to send them again, also those that arrived.")
    return event.selection.rows


def _when(one: DeliveryInfo, now) -> str | None:
    if one.due_at is None:
        return None
    minutes = (one.due_at - now).total_seconds() / 60
    if minutes < 1:
        return "soon"
    return f"in {minutes:,.0f} min" if minutes < 90 else f"in {minutes / 60:,.0f} h"


def _retry_chosen(webhook_id: int, chosen: list[DeliveryInfo]) -> None:
    if not st.button(f"Send {len(chosen):,} again", icon=":material/replay:", key="retry-chosen"):
        return
    with shown() as attempt, writing() as session:
        actor, at = current_actor(), clock.now()
        for one in chosen:
            service.retry_deliveries(session, actor, webhook_id, delivery_id=one.delivery_id, at=at)
    if attempt.ok:
        st.toast("They are sent now.", icon=":material/check:")
        st.rerun()


@st.dialog("Change events", icon=":material/tune:")
def _change_types(webhook_id: int, types: tuple[str, ...]) -> None:
    actor = current_actor()
    with st.form(f"webhook-types-form-{webhook_id}", border=False):
        wanted = types_input(types, f"webhook-types-{webhook_id}")
        sent = st.form_submit_button("Save events", type="primary", icon=":material/check:")
        st.caption("It counts from now on: what happened before is not told.")
    if not sent:
        return
    with shown() as attempt, writing() as session:
        service.change_types(session, actor, webhook_id, wanted, at=clock.now())
    if attempt.ok:
        st.rerun()


@st.dialog("New secret", icon=":material/lock_reset:", on_dismiss=shown_once.forget)
def _renew(webhook_id: int) -> None:
    actor = current_actor()
    if shown_once.drawn():
        return
    st.markdown(
        "Messages are signed with the new secret and, for 24 hours, with the old one too. Give the other "
        "system the new one in that time."
    )
    with st.container(horizontal=True):
        confirmed = st.button(
            "Make a new secret", type="primary", icon=":material/lock_reset:", key="renew-yes"
        )
        if st.button("Keep the old one", key="renew-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, writing() as session:
        made = service.renew_secret(session, actor, webhook_id, at=clock.now())
    if attempt.ok:
        shown_once.keep("The new secret:", made.secret)
        st.rerun(scope="fragment")


@st.dialog("Delete this webhook?", icon=":material/delete:")
def _delete(webhook_id: int, name: str) -> None:
    actor = current_actor()
    st.markdown(
        f"**{literal(name)}** is told of nothing any more. What waits for it, its list of deliveries and its "
        "secret are lost."
    )
    with st.container(horizontal=True):
        confirmed = st.button(
            "Delete webhook", type="primary", icon=":material/delete_forever:", key="delete-webhook-yes"
        )
        if st.button("Keep", key="delete-webhook-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, writing() as session:
        service.delete_webhook(session, actor, webhook_id, at=clock.now())
    if attempt.ok:
        st.query_params.clear()
        st.rerun()
