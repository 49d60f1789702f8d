"""The list of API tokens, making one and revoking one."""

import pandas as pd
import streamlit as st

from ma import clock
from ma.services.tokens import LONGEST_NAME, TokenInfo, create_token, revoke_token, tokens
from ma.services.users import users
from ma.types import Actor, Permission, Role, lower
from ui import shown_once, tables
from ui.errors import shown
from ui.moments import ago
from ui.page import current_actor
from ui.session import reading, writing
from ui.text import literal

_DAYS = {30: "30 days", 90: "90 days", 365: "a year", None: "never"}


def draw(actor: Actor) -> None:
    """Draw one's own tokens, for an admin everybody's."""
    now = clock.now()
    with reading() as session:
        found = tokens(session, actor, now=now)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "With a token a program reads figures or sends results in somebody's name. `/api/docs` "
            "lists what it can ask for."
        )
        if st.button("Make token", type="primary", icon=":material/key:", key="make-token"):
            shown_once.forget()
            _make()
    live = [one for one in found if not one.ended]
    every = len(found) > len(live) and st.toggle("Show those that ended too", key="tokens-every")
    listed = found if every else live
    if not listed:
        st.info("No token is in use. Make one for each program, so that each can be revoked.")
        return
    _table(listed, now, everybody=actor.may(Permission.MANAGE_USERS))


def _table(found: list[TokenInfo], now, *, everybody: bool) -> None:
    table = pd.DataFrame(
        {
            "name": one.name,
            "username": one.username,
            "hint": f"{one.hint}…",
            "role": one.role.capitalize(),
            "used": ago(one.last_used_at, now),
            "expires_at": one.expires_at,
            "state": one.ended.capitalize() or "Active",
        }
        for one in found
    ).assign(expires_at=pd.to_datetime([one.expires_at for one in found], utc=True))
    event = st.dataframe(
        table if everybody else table.drop(columns="username"),
        hide_index=True,
        placeholder="Never",
        on_select="rerun",
        selection_mode="single-row",
        # Another list is another table: a row that was selected is not another token then.
        key=f"token-list-{len(found)}-{found[0].token_id}",
        height=min(35 * len(table) + 38, 720),
        column_config={
            "name": st.column_config.TextColumn("Program", width="medium", pinned=True),
            "username": "User",
            "hint": "Begins with",
            "role": "Role",
            "used": "Last use",
            "expires_at": tables.moment("Ends"),
            "state": "State",
        },
    )
    if not event.selection.rows:
        st.caption("Select a row to revoke a token.")
        return
    chosen = found[event.selection.rows[0]]
    if chosen.ended:
        st.caption(f"{literal(chosen.name)} opens nothing any more.")
    elif st.button(f"Revoke {literal(chosen.name)}", icon=":material/key_off:", key="revoke-token"):
        _revoke(chosen.token_id, chosen.name)


@st.dialog("Make token", icon=":material/key:", on_dismiss=shown_once.forget)
def _make() -> None:
    actor = current_actor()
    if shown_once.drawn():
        return
    with st.form("make-token-form", border=False):
        name = st.text_input(
            "Program", max_chars=LONGEST_NAME, placeholder="Nightly report", key="new-token-name"
        )
        whose = _whose(actor)
        roles = [role for role in Role if lower(role, actor.role) == role]
        role = st.selectbox(
            "Role",
            roles,
            format_func=str.capitalize,
            help="Give it no more than it needs.",
            key="new-token-role",
        )
        days = st.selectbox(
            "It ends after", list(_DAYS), index=1, format_func=_DAYS.get, key="new-token-days"
        )
        sent = st.form_submit_button("Make token", type="primary", icon=":material/key:")
    if not sent:
        return
    with shown() as attempt, writing() as session:
        made = create_token(session, actor, name=name, role=role, username=whose, days=days, at=clock.now())
    if attempt.ok:
        shown_once.keep(f"The token for {literal(name)} is made.", made.secret)
        st.rerun(scope="fragment")


def _whose(actor: Actor) -> str | None:
    """For an admin a choice of all who may sign in; everybody else makes their own."""
    if not actor.may(Permission.MANAGE_USERS):
        return None
    with reading() as session:
        names = {one.username: one.name for one in users(session, actor, now=clock.now()) if one.active}
    return st.selectbox(
        "In whose name",
        list(names),
        index=list(names).index(actor.username) if actor.username in names else 0,
        format_func=lambda username: f"{names[username]} ({username})",
        key="new-token-whose",
    )


@st.dialog("Revoke this token?", icon=":material/key_off:")
def _revoke(token_id: int, name: str) -> None:
    actor = current_actor()
    st.markdown(f"The program that uses **{literal(name)}** is let in no more. There is no way back.")
    with st.container(horizontal=True):
        confirmed = st.button("Revoke token", type="primary", icon=":material/key_off:", key="revoke-yes")
        if st.button("Keep", key="revoke-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, writing() as session:
        revoke_token(session, actor, token_id, at=clock.now())
    if attempt.ok:
        st.rerun()
