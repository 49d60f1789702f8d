"""Who works on leads: added, and taken off the team."""

import streamlit as st

from ma.analytics.leads import lead_reps
from ma.subscribers import leads
from ma.types import Actor
from ui.case_change import change
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal


def button() -> None:
    """The button that opens the team."""
    if st.button("Sales team", icon=":material/group:", key="sales-team"):
        _team()


def share_out(leads_of_nobody: int) -> None:
    """The button that gives leads which are nobody's to the team."""
    st.button(
        f"Share out {leads_of_nobody:,} of nobody",
        icon=":material/shuffle:",
        key="share-out",
        help="Each goes to whoever of the team has the fewest open leads.",
        on_click=_share_out,
    )


def _share_out() -> None:
    change(leads.share_out, done="They are shared out.")


@st.dialog("Sales team", icon=":material/group:")
def _team() -> None:
    actor = current_actor()
    st.caption("New leads go to whoever of them has the fewest open ones.")
    with reading() as session:
        team = lead_reps(session, as_of=now())
    for row in team.itertuples():
        with st.container(horizontal=True, vertical_alignment="center", key=f"rep-{row.rep_id}"):
            st.markdown(literal(row.name), width="stretch")
            st.button(
                "Take off the team",
                icon=":material/person_remove:",
                type="tertiary",
                key=f"retire-{row.rep_id}",
                help="They get no new leads. Those they have stay theirs.",
                on_click=_retire,
                args=(int(row.rep_id),),
            )
    if team.empty:
        st.caption("Nobody yet: new leads are nobody's until somebody is here.")
    _add(actor)


def _add(actor: Actor) -> None:
    with st.form("add-rep", clear_on_submit=True, border=False):
        name = st.text_input("Name", max_chars=100, placeholder="Dana Whitfield", key="rep-name")
        sent = st.form_submit_button("Add to the team", icon=":material/person_add:")
    if not sent:
        return
    with shown() as attempt, writing() as session:
        leads.add_rep(session, actor, name=name)
    if attempt.ok:
        st.rerun(scope="fragment")


def _retire(rep_id: int) -> None:
    actor = current_actor()
    with shown(), writing() as session:
        leads.retire_rep(session, actor, rep_id=rep_id)
