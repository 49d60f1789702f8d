"""The demo clock: moving it forward lets campaigns go on before the audience's eyes."""

import streamlit as st

from ma.services.workspace import move_clock
from ma.types import Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, workspace, writing

STEPS = {1: "A day", 7: "A week", 30: "A month"}


def demo_clock() -> None:
    """A small menu that moves the clock forward; only in a demo world, only for those who may."""
    if not workspace().is_demo or not current_actor().may(Permission.MOVE_CLOCK):
        return
    with st.popover("Move the clock", icon=":material/fast_forward:", width="stretch"):
        st.caption("Opens, clicks, conversions and waves to come happen as if the time had passed.")
        for days, label in STEPS.items():
            st.button(f"{label} forward", key=f"clock-{days}", on_click=_move, args=(days,), width="stretch")


def _move(days: int) -> None:
    # Loads pandas, which the sign-in form, drawn by the same script, should not wait for.
    from ma.services import due

    actor = current_actor()
    with shown() as attempt:
        with writing() as session:
            move_clock(session, actor, days=days, at=now())
        with writing() as session:
            due.catch_up(session, at=now())
    if attempt.ok:
        st.toast(f"The clock moved {days} day{'s' if days > 1 else ''} forward.", icon=":material/schedule:")
