"""The list of users, and adding one."""

import pandas as pd
import streamlit as st

from ma import clock
from ma.services.auth import create_user
from ma.services.users import users
from ma.types import Actor, Role
from ui import tables
from ui.errors import shown
from ui.moments import ago
from ui.page import current_actor
from ui.session import reading, writing

# What each role adds to the one before it.
ROLES = {
    Role.VIEWER: "Viewer: reads every screen",
    Role.ANALYST: "Analyst: also exports tables and makes API tokens",
    Role.MARKETER: "Marketer: also edits customers, segments and campaigns, launches, imports",
    Role.ADMIN: "Admin: also manages users and webhooks, erases people",
}


def draw(actor: Actor) -> None:
    """Draw everybody who may sign in, or might once."""
    now = clock.now()
    with reading() as session:
        found = users(session, actor, now=now)
    with st.container(horizontal=True, vertical_alignment="center"):
        active = sum(one.active for one in found)
        st.caption(f"{active:,} {'person' if active == 1 else 'people'} may sign in.", width="content")
        st.space("stretch")
        if st.button("Add user", type="primary", icon=":material/person_add:", key="add-user"):
            _add()
    table = pd.DataFrame(
        {
            "name": one.name,
            "username": one.username,
            "role": one.role.capitalize(),
            "state": "Active" if one.active else "Disabled",
            "signed_in": ago(one.signed_in_at, now),
            "sessions": one.sessions,
            "tokens": one.tokens,
        }
        for one in found
    )
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="user-list",
        height=min(35 * len(table) + 38, 720),
        column_config={
            "name": st.column_config.TextColumn("Name", width="medium", pinned=True),
            "username": "User name",
            "role": "Role",
            "state": "State",
            "signed_in": "Last sign-in",
            "sessions": tables.count("Browsers signed in"),
            "tokens": tables.count("API tokens"),
        },
    )
    st.caption("Select a row to give somebody another role or password, or to disable them.")
    if event.selection.rows:
        st.query_params["id"] = str(found[event.selection.rows[0]].user_id)
        st.rerun()


@st.dialog("Add user", icon=":material/person_add:")
def _add() -> None:
    actor = current_actor()
    with st.form("add-user-form", border=False):
        name = st.text_input("Name", max_chars=200, placeholder="Anna Becker", key="new-user-name")
        username = st.text_input(
            "User name", max_chars=100, placeholder="anna", autocomplete="off", key="new-user-username"
        )
        role = st.selectbox("Role", list(ROLES), format_func=ROLES.get, key="new-user-role")
        password = st.text_input(
            "Password",
            type="password",
            autocomplete="new-password",
            help="At least 12 characters; a short sentence is fine. They can change it themselves.",
            key="new-user-password",
        )
        sent = st.form_submit_button("Add user", type="primary", icon=":material/person_add:")
    if not sent:
        return
    with shown() as attempt, writing() as session:
        create_user(
            session, actor, username=username, name=name, role=role, password=password, at=clock.now()
        )
    if attempt.ok:
        st.toast("They may sign in now.", icon=":material/check:")
        st.rerun()
