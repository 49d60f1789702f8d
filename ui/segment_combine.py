"""A new segment made of others by set operations."""

import streamlit as st

from ma.analytics import comparison, segments
from ma.analytics.catalogue import catalogue
from ma.errors import Exposed, InvalidInput
from ma.rules.check import parse
from ma.rules.to_english import english
from ma.services.segments import LONGEST_NAME, create_segment, refresh_segment
from ma.types import Actor, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

OPERATIONS = {
    "union": "In at least one",
    "intersection": "In all of them",
    "difference": "In the first only",
    "only_one": "In exactly one",
    "custom": "Choose for each",
}
_PARTS = {"in": "In it", "out": "Not in it", "any": "Either"}


def draw(actor: Actor, names: dict[int, str]) -> None:
    """Draw the set operations over segments (id -> name, in order), for those who may create one."""
    st.markdown("**Combine into a new segment**")
    if not actor.may(Permission.EDIT_SEGMENTS):
        st.caption("Your role reads segments. A marketer can combine them.")
        return
    _combine(names)


@st.fragment
def _combine(names: dict[int, str]) -> None:
    current_actor()
    with st.container(border=True, key="combine"):
        operation = st.segmented_control(
            "Who belongs to it",
            list(OPERATIONS),
            default="intersection",
            format_func=OPERATIONS.get,
            required=True,
            key="combine-operation",
        )
        try:
            rule = _rule(operation, names)
            with reading() as session:
                known = catalogue(session)
                node = parse(rule, known)
                people = segments.count(session, node, as_of=now())
        except InvalidInput as error:
            st.caption(literal(error))
            return
        except Exposed as error:
            st.error(literal(error), icon=":material/error:")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.metric("Customers now", f"{people:,}", width=150)
            st.text(english(node, currency=workspace().currency, catalogue=known), width="stretch")
        st.caption(
            "As of now, by the segments' rules: the new segment follows them when they change. The figures "
            "above are those of their last refresh."
        )
        _save(rule, _suggested(operation, list(names.values())))


def _rule(operation: str, names: dict[int, str]) -> dict:
    if operation == "custom":
        parts = {}
        with st.grid(columns=2, min_column_width=280):
            for i, (segment_id, name) in enumerate(names.items()):
                parts[segment_id] = st.segmented_control(
                    literal(name),
                    list(_PARTS),
                    default="in" if i == 0 else "any",
                    format_func=_PARTS.get,
                    required=True,
                    key=f"combine-part-{segment_id}",
                )
        return comparison.combined_rule(parts)
    ids = list(names)
    if operation == "difference":
        first = st.selectbox(
            "The first", ids, format_func=lambda one: names.get(one, ""), key="combine-first", width=320
        )
        ids = [first, *(one for one in ids if one != first)]
    return comparison.set_rule(operation, ids)


def _save(rule: dict, suggested: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the new segment",
            placeholder=suggested,
            max_chars=LONGEST_NAME,
            key="combine-name",
            width=380,
        )
        pressed = st.button("Save as new segment", type="primary", icon=":material/save:", key="combine-save")
    if not pressed:
        return
    with shown() as attempt, writing() as session:
        actor, at = current_actor(), now()
        segment_id = create_segment(session, actor, name=name or suggested, rule=rule, at=at)
        refresh = refresh_segment(session, actor, segment_id, at=at)
    if attempt.ok:
        st.toast(f"Saved. {refresh.size:,} customers.", icon=":material/check:")
        st.query_params.from_dict({"id": str(segment_id)})
        st.rerun()


def _suggested(operation: str, names: list[str]) -> str:
    word = {"union": " or ", "intersection": " and ", "difference": " without ", "only_one": " or else "}
    joined = word.get(operation, " with ").join(names)
    return joined if len(joined) <= LONGEST_NAME else joined[: LONGEST_NAME - 1] + "…"
