"""Changing a lead or a ticket: done, or said why not on the screen that is drawn next."""

from collections.abc import Callable

import streamlit as st

from ma.errors import Conflict, NotFound
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal

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
