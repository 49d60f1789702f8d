"""What leads and tickets share: changing one, or saying why not; its note; what was done with it."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from ma.errors import Conflict, NotFound
from ui import tables
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal, literal_lines

_REFUSED = "case-refused"


def change(work: Callable, *arguments, done: str = "", **values) -> bool:
    """Change a case; False where the input was refused, and why stands on the screen.

    Where somebody else was quicker, the screen drawn next says so and shows the case as it is now.
    """
    actor = current_actor()
    with shown() as attempt:
        at = now()
        try:
            with writing() as session:
                work(session, actor, *arguments, at=at, **values)
        except (Conflict, NotFound) as problem:
            st.session_state[_REFUSED] = str(problem)
            done = ""
    if attempt.ok and done:
        st.toast(done, icon=":material/check:")
    return attempt.ok


def refusal() -> None:
    """Say why the last change was not possible."""
    if reason := st.session_state.pop(_REFUSED, None):
        st.error(literal(reason), icon=":material/block:")


def note(work: Callable, case_id: int, case: dict, *, may_work: bool, longest: int, placeholder: str) -> None:
    """The note of a case, to be changed by who may work on it. `work` saves it."""
    st.markdown("**Note**")
    if not may_work:
        st.markdown(literal_lines(case["note"]) if case["note"] else ":gray[Nothing was written down.]")
        return
    # Another key for each version: a form keeps what was typed into it, though somebody else changed it.
    key = f"case-note-{case_id}-{case['version']}"
    with st.form(key, border=False):
        text = st.text_area(
            "Note",
            value=case["note"] or "",
            max_chars=longest,
            height=140,
            placeholder=placeholder,
            label_visibility="collapsed",
            key=f"{key}-text",
        )
        sent = st.form_submit_button("Save note", icon=":material/check:")
    if sent and change(work, case_id, note=text, version=case["version"], done="The note is saved."):
        st.rerun()


def history(changes: pd.DataFrame, told: list[str]) -> None:
    """What was done with a case, a sentence for each change."""
    st.subheader("What was done", anchor=False)
    st.dataframe(
        changes.assign(what=told)[["at", "actor", "what"]],
        hide_index=True,
        height=min(35 * len(changes) + 38, 388),
        column_config={
            "at": tables.moment("When"),
            "actor": "Who",
            "what": st.column_config.TextColumn("What", width="large"),
        },
    )
