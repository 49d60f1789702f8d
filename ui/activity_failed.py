"""Events that a subscriber could not act on: why, and what to do about them."""

import pandas as pd
import streamlit as st

from ma import clock
from ma.analytics.activity import dead_letters, subscribers
from ma.subscribers.dead_letters import give_up_on, retry_parked
from ma.types import Actor, Permission
from ui import case_change, tables
from ui.activity_words import MODULES, event
from ui.errors import shown
from ui.export import export_button
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

# The latest of them; an export has all.
_ROWS = 500


def draw(actor: Actor) -> None:
    """Draw them, or that there are none."""
    with reading() as session:
        frame = dead_letters(session, as_of=now(), limit=_ROWS)
        # Very many fail where a whole module has a fault: they are counted, not read.
        counts = subscribers(session, as_of=now()).set_index("subscriber")
    case_change.refusal()
    if frame.empty:
        st.info(
            "**No event has failed.** What a subscriber cannot act on is put aside, tried again four times "
            "within two minutes, and then waits here for somebody to decide. The others flow on.",
            icon=":material/task_alt:",
        )
        return
    may = actor.may(Permission.MANAGE_WORKSPACE)
    _head(counts, may)
    event_ = _table(frame, may)
    if not may:
        st.caption("An admin can have them tried again, or give them up.")
    elif event_.selection.rows:
        _one(frame.iloc[event_.selection.rows[0]])
    else:
        st.caption(
            "Mend the cause first: the reference leads to the error in the log. Select a row to decide."
        )


def _head(counts: pd.DataFrame, may: bool) -> None:
    parked, failing = int(counts["parked"].sum()), int(counts["failing"].sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{parked + failing:,} failed**, {parked:,} of them for good: they wait for a decision.",
            width="content",
        )
        st.space("stretch")
        export_button("dead_letters")
        for name, many in counts["parked"].items() if may else ():
            if not many:
                continue
            st.button(
                f"Try all of {MODULES[name]} again",
                icon=":material/replay:",
                key=f"retry-all-{name}",
                help=f"{many:,} get five more tries.",
                on_click=_retry,
                args=(name, None),
            )


def _table(frame: pd.DataFrame, may: bool):
    table = frame.assign(
        who=frame["subscriber"].map(MODULES),
        what=frame["type"].map(event),
        state=["Failed for good" if pd.isna(at) else "Tried again" for at in frame["retry_at"]],
    )
    choosing = {"on_select": "rerun", "selection_mode": "single-row"} if may else {}
    return st.dataframe(
        table[["failed_at", "who", "what", "state", "attempts", "error", "event_id"]],
        hide_index=True,
        placeholder="–",
        key=f"failed-events-{len(table)}-{table['event_id'].iloc[0]}",
        height=min(35 * len(table) + 38, 563),
        column_config={
            "failed_at": tables.moment("Failed"),
            "who": "Subscriber",
            "what": st.column_config.TextColumn("Event", width="medium"),
            "state": "State",
            "attempts": tables.count("Tries"),
            "error": st.column_config.TextColumn("Error", width="large"),
            "event_id": st.column_config.TextColumn("Id", width="small"),
        },
        **choosing,
    )


def _one(row) -> None:
    with st.container(border=True, key="failed-event"):
        st.markdown(f"**{event(row.type)}**, for {MODULES[row.subscriber]}")
        st.text(row.error)
        with st.container(horizontal=True):
            if pd.isna(row.retry_at):
                st.button(
                    "Try again",
                    type="primary",
                    icon=":material/replay:",
                    key="retry-event",
                    on_click=_retry,
                    args=(row.subscriber, row.event_id),
                )
            if st.button("Give up", icon=":material/delete:", key="give-up"):
                _give_up(row.subscriber, row.event_id, event(row.type))


def _retry(module: str, event_id: str | None) -> None:
    actor = current_actor()
    with shown() as attempt, writing() as session:
        count = retry_parked(session, actor, module, event_id=event_id, at=clock.now())
    if attempt.ok:
        events = "event is" if count == 1 else "events are"
        st.toast(f"{count:,} {events} tried again within a second.", icon=":material/replay:")


def _give_up(module: str, event_id: str, words: str) -> None:
    @st.dialog("Give up on this event", icon=":material/delete:")
    def ask():
        st.markdown(
            f"{MODULES[module]} will never act on “{literal(words)}”: what should have followed from it "
            "there is missing for good. The others still have it."
        )
        if not st.button("Give up on it", type="primary", key="give-up-now"):
            return

        def work(session, actor, *, at):
            give_up_on(session, actor, module, event_id=event_id, at=clock.now())

        if case_change.change(work, done="It is given up."):
            st.rerun()

    ask()
