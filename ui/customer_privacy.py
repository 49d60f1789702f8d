"""What a person may ask for: everything held on them, and to be erased."""

from secrets import token_hex

import streamlit as st

from ma.analytics.profile import Profile
from ma.services.erasing import erase_one
from ma.types import Actor, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal

_WORD = "ERASE"


def menu(actor: Actor, profile: Profile) -> None:
    """A button in the customer's heading; nothing for a role that may neither export nor erase."""
    if not (actor.may(Permission.EXPORT) or actor.may(Permission.ERASE)):
        return
    if st.button("Privacy", icon=":material/shield_person:", key="customer-privacy"):
        _privacy(profile, token_hex(4))


def person_url(customer_id: int) -> str:
    """The address that downloads everything held on one person."""
    return f"/export/person?id={customer_id}"


@st.dialog("Privacy", icon=":material/shield_person:", width="medium")
def _privacy(profile: Profile, opening: str) -> None:
    actor = current_actor()
    st.markdown(f"What **{literal(profile.name)}** may ask for.")
    if actor.may(Permission.EXPORT):
        with st.container(border=True):
            st.markdown("**A copy of everything held on them**, as one JSON document. The log notes it.")
            st.link_button(
                "Download everything",
                person_url(profile.customer_id),
                icon=":material/download:",
                key="download-everything",
            )
    with st.container(border=True):
        if actor.may(Permission.ERASE):
            _erase(actor, profile, opening)
        else:
            st.caption("To be erased: ask an admin, who alone may do it.")


def _erase(actor: Actor, profile: Profile, opening: str) -> None:
    st.markdown(
        "**Erase them for good.** Lost are name, contact, demographics, consent and its history, own fields, "
        "tags, notes, web visits, places in segments, what imports remember of them, and earlier records of "
        "theirs. **There is no way back.**"
    )
    st.caption(
        f"Their {profile.orders:,} orders and what campaigns brought stay in the sums, without a person. "
        "A keyed hash of e-mail address, external id and phone number stays, so that no import brings them "
        "back; nobody can read them from it. Files that were exported and backups are not touched."
    )
    word = st.text_input(f"Type {_WORD} to confirm", key=f"erase-word-{opening}", autocomplete="off")
    with st.container(horizontal=True):
        confirmed = st.button(
            "Erase for good", type="primary", icon=":material/delete_forever:", key="erase-confirmed"
        )
        if st.button("Keep", key="erase-cancelled"):
            st.rerun()
    if not confirmed:
        return
    if word.strip() != _WORD:
        st.error(f"Type {_WORD} in capital letters to confirm.", icon=":material/error:")
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            erase_one(session, actor, profile.customer_id, version=profile.version, at=at)
    if attempt.ok:
        st.toast("The person is erased.", icon=":material/check:")
        st.query_params.pop("id", None)
        st.rerun()
