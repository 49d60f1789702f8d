"""Merging two records of one person: finding the other one, and a preview that says what will happen."""

from datetime import date
from secrets import token_hex

import streamlit as st

from ma.analytics import customers as customer_data
from ma.analytics import duplicates
from ma.analytics.duplicates import Choice, Preview
from ma.analytics.profile import Profile
from ma.services.merging import merge_customers
from ma.types import Actor, Channel, Permission
from ui import tables
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

_FOUND = 8
_MOVES = {
    "orders": ("order", "orders"),
    "visits": ("web visit", "web visits"),
    "messages": ("message", "messages"),
    "notes": ("note", "notes"),
    "tags": ("tag", "tags"),
}


def menu(actor: Actor, profile: Profile) -> None:
    """A button in the customer's heading; nothing for a role that may not edit customers."""
    if actor.may(Permission.EDIT_CUSTOMERS) and st.button(
        "Merge", icon=":material/merge:", key="merge-customer"
    ):
        _find_other(profile, token_hex(4))


def compare(keep_id: int, other_id: int) -> None:
    """Open the preview of merging `other_id` into `keep_id`."""
    _compare(keep_id, other_id, token_hex(4))


@st.dialog("Merge with another record", icon=":material/merge:", width="large")
def _find_other(profile: Profile, opening: str) -> None:
    current_actor()
    st.markdown(f"Which other record is **{literal(profile.name)}** too?")
    q = st.text_input(
        "Search customers",
        type="search",
        live=True,
        value="",
        placeholder="Name, e-mail, phone, city, postal code or id",
        max_chars=200,
        key=f"merge-q-{opening}",
    )
    if not q.strip():
        st.caption("The record that you have open is kept; the other one moves into it. You see it first.")
        return
    with reading() as session:
        frame = customer_data.customers(session, as_of=now(), q=q, limit=_FOUND + 1)
    frame = frame[frame["customer_id"] != profile.customer_id].head(_FOUND)
    if frame.empty:
        st.caption("Nobody else fits this search.")
        return
    told = {
        int(row.customer_id): " · ".join(
            literal(part)
            for part in (row.name, row.email, row.phone, row.city, f"id {row.customer_id}")
            if isinstance(part, str) and part
        )
        for row in frame.itertuples()
    }
    other_id = st.radio(
        "The other record", list(told), format_func=told.get, index=None, key=f"merge-other-{opening}-{q}"
    )
    if other_id is not None:
        _preview_and_merge(profile.customer_id, other_id, opening)


@st.dialog("Are they one person?", icon=":material/merge:", width="large")
def _compare(keep_id: int, other_id: int, opening: str) -> None:
    current_actor()
    swapped = st.toggle("Keep the other one instead", key=f"merge-swap-{opening}")
    if swapped:
        keep_id, other_id = other_id, keep_id
    _preview_and_merge(keep_id, other_id, opening)


def _preview_and_merge(keep_id: int, other_id: int, opening: str) -> None:
    currency = workspace().currency
    with shown() as attempt, reading() as session:
        preview = duplicates.preview(session, keep_id, other_id, as_of=now())
    if not attempt.ok:
        return
    _sides(preview, currency)
    if preview.choices:
        st.markdown("**Which is right?** :gray[What both have alike is not shown.]")
    with st.grid(columns=3, min_column_width=220):
        take = {choice.name: _chosen(choice, f"{opening}-{keep_id}-{other_id}") for choice in preview.choices}
    _consent(preview)
    _what_happens(preview, currency)
    with st.container(horizontal=True):
        confirmed = st.button("Merge records", type="primary", icon=":material/merge:", key="merge-confirmed")
        if st.button("Cancel", key="merge-cancelled"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            merge_customers(
                session,
                current_actor(),
                keep_id=keep_id,
                other_id=other_id,
                versions=preview.versions,
                take=take,
                at=at,
            )
    if attempt.ok:
        st.toast("The two records are one.", icon=":material/check:")
        st.rerun()


def _sides(preview: Preview, currency: str) -> None:
    with st.grid(columns=2, border=True, min_column_width=220):
        for side, words in enumerate(("Is kept", "Moves into it and disappears")):
            with st.container(height="stretch", gap="xsmall"):
                icon = ":material/person:" if side == 0 else ":material/person_cancel:"
                st.badge(words, icon=icon, color="green" if side == 0 else "orange")
                st.markdown(f"**{literal(preview.names[side])}**")
                customer_id = (preview.keep_id, preview.other_id)[side]
                st.caption(literal(preview.contacts[side] or "–") + f"  \nCustomer {customer_id}")
                st.caption(
                    f"Lifetime value {literal(tables.amount(preview.lifetime_values[side], currency))}"
                )


def _chosen(choice: Choice, opening: str) -> str:
    """One field in which they differ: whose value is right."""
    return st.radio(
        literal(choice.label),
        ["keep", "other"],
        index=["keep", "other"].index(choice.default),
        format_func=lambda whose: _value(choice.keep if whose == "keep" else choice.other),
        key=f"merge-{choice.name}-{opening}",
    )


def _value(value: object) -> str:
    if value is None or value == "":
        return "– (unknown)"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, date):
        return f"{value.day} {value:%b %Y}"
    if isinstance(value, tuple):
        return literal(", ".join(map(str, value)))
    return literal(f"{value:g}" if isinstance(value, float) else value)


def _consent(preview: Preview) -> None:
    st.markdown("**Consent after the merge**")
    with st.container(horizontal=True, gap="small"):
        for channel in Channel:
            keep, other, after = preview.consent[channel]
            lost = "" if after or not (keep or other) else " (one of them does not allow it)"
            st.badge(
                f"{channel.label}: {'allowed' if after else 'not allowed'}{lost}",
                icon=":material/check:" if after else ":material/block:",
                color="green" if after else "gray",
            )
    st.caption("The more restrictive of both counts: a channel stays open only where both records allow it.")


def _what_happens(preview: Preview, currency: str) -> None:
    moves = [
        f"{count:,} {one if count == 1 else many}"
        for name, (one, many) in _MOVES.items()
        if (count := preview.moves[name])
    ]
    *_, after = preview.lifetime_values
    sentences = [
        f"To the kept record move: {', '.join(moves)}." if moves else "The other record has no history.",
        f"Lifetime value is then {literal(tables.amount(after, currency))}.",
    ]
    if preview.messages_left:
        left = preview.messages_left
        sentences.append(
            f"Both are in the same {'campaign' if left == 1 else f'{left:,} campaigns'}: what the other "
            "record did there stays with the hidden record, so that results do not change."
        )
    sentences.append("**There is no way back.**")
    st.markdown(" ".join(sentences))
