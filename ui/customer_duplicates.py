"""Records that may be one person, each pair with its reasons and what can be done."""

from dataclasses import replace
from datetime import timedelta
from time import perf_counter

import streamlit as st

from ma.analytics import duplicates
from ma.services.merging import mark_distinct
from ma.types import Actor, Permission
from ui import customer_merge
from ui.errors import shown
from ui.links import link
from ui.page import current_actor
from ui.paging import Paging
from ui.session import now, reading, writing
from ui.text import literal

PAGE = 10
MOST = 200
# At a million customers comparing takes some seconds: whoever works through the list does so once.
QUICK_SECONDS, KEPT = 1.0, timedelta(minutes=10)


def show(actor: Actor) -> None:
    """Draw the pairs, the likeliest first."""
    with st.container(horizontal=True, vertical_alignment="center"):
        link("customers", "All customers", icon=":material/arrow_back:")
        st.space("stretch")
        if st.session_state.get("duplicates-found") and st.button(
            "Compare again", icon=":material/refresh:", type="tertiary", key="compare-again"
        ):
            del st.session_state["duplicates-found"]
    found = _without_told_apart(_suggestions())
    if found.pairs.empty:
        st.info(
            "**No possible duplicates.** Records that share a name and a date of birth, postal code or "
            "e-mail name, or a phone number and part of the name, would appear here, to be merged or told "
            "apart.",
            icon=":material/group:",
        )
        return
    st.caption(
        "Records that share a name and a date of birth, postal code or e-mail name, or a phone number and "
        "part of the name. What more than five records share is left out. Open both before you merge: "
        "twins share a lot."
    )
    paging = Paging("duplicates", len(found.pairs), PAGE)
    may_edit = actor.may(Permission.EDIT_CUSTOMERS)
    for pair in found.pairs.iloc[paging.offset : paging.offset + PAGE].itertuples():
        _pair(pair, may_edit)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_how_many(found), width="content")
        st.space("stretch")
        paging.draw()


def _suggestions() -> duplicates.Suggestions:
    """The pairs as they are now; where comparing takes long, as they were some minutes ago."""
    at = now()
    kept = st.session_state.get("duplicates-found")
    if kept and at - kept[0] < KEPT and kept[0] <= at:
        return kept[1]
    began = perf_counter()
    with st.spinner("Comparing all customers …", show_time=True), reading() as session:
        found = duplicates.suggestions(session, as_of=at, limit=MOST)
    st.session_state["duplicates-found"] = (at, found) if perf_counter() - began > QUICK_SECONDS else None
    return found


def _without_told_apart(found: duplicates.Suggestions) -> duplicates.Suggestions:
    """What was kept some minutes ago, without the pairs that were told apart since."""
    told = st.session_state.get("told-apart", set())
    ids = zip(found.pairs["first_id"], found.pairs["second_id"], strict=True)
    gone = [pair in told for pair in ids]
    left = found.pairs.drop(found.pairs.index[gone])
    return replace(found, pairs=left, total=found.total - sum(gone))


def _how_many(found: duplicates.Suggestions) -> str:
    total = f"{found.total:,}{'' if found.complete else ' or more'}"
    pairs = f"**{total} pair{'' if found.total == 1 and found.complete else 's'}**"
    return pairs if found.total <= MOST else f"{pairs}, the likeliest {MOST:,} of them here"


def _pair(pair, may_edit: bool) -> None:
    first, second = int(pair.first_id), int(pair.second_id)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(f"{pair.score} of 100", icon=":material/person_search:", color="blue")
            st.markdown(literal(pair.reasons[0].upper() + pair.reasons[1:]), width="content")
            st.space("stretch")
            if may_edit and st.button("Compare", icon=":material/merge:", key=f"compare-{first}-{second}"):
                customer_merge.compare(first, second)
            if may_edit and st.button(
                "Not the same person", type="tertiary", key=f"distinct-{first}-{second}"
            ):
                _tell_apart(first, second)
        with st.grid(columns=2, min_column_width=220):
            for side, customer_id in (("first", first), ("second", second)):
                with st.container(gap="xsmall"):
                    _side(pair, side, customer_id)


def _side(pair, side: str, customer_id: int) -> None:
    parts = [getattr(pair, f"{side}_{part}") for part in ("name", "email", "phone", "city")]
    name, *contact = (part if isinstance(part, str) else "" for part in parts)
    called = name or contact[0] or f"Customer {customer_id}"
    link("customers", literal(called), icon=":material/person:", id=customer_id)
    known = [part for part in contact if part]
    orders = int(getattr(pair, f"{side}_orders"))
    st.caption(" · ".join([*map(literal, known), f"{orders:,} order{'' if orders == 1 else 's'}"]))


def _tell_apart(first: int, second: int) -> None:
    with shown() as attempt:
        at = now()
        with writing() as session:
            mark_distinct(session, current_actor(), first, second, at=at)
    if attempt.ok:
        st.session_state.setdefault("told-apart", set()).add((first, second))
        st.toast("They are not suggested again.", icon=":material/check:")
        st.rerun()
