"""What needs attention: each line leads to where somebody can act."""

import pandas as pd
import streamlit as st

from ma.types import Permission
from ui.export import export_button
from ui.links import link
from ui.page import current_actor
from ui.text import literal

# The page of a line -> the name of the object in that page's address.
_OBJECTS = {
    "campaigns": "id",
    "segments": "id",
    "results": "campaigns",
    "experiments": "campaign",
    "webhooks": "id",
}
# Pages that not everybody has.
_NEEDS = {"webhooks": Permission.MANAGE_WORKSPACE}
# The kind of a line -> the part of the page that it is about.
_PARTS = {"parked": {"activity": "Failed events"}}
_MOST = 6


def draw(todo: pd.DataFrame) -> None:
    """Draw an analytics.attention frame."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Needs attention**", width="content")
        st.space("stretch")
        if len(todo):
            export_button("attention", key="export-attention")
    if todo.empty:
        st.caption("Nothing right now. Figures are as usual, segments are fresh, and no campaign needs you.")
    for row in todo.head(_MOST).itertuples():
        _line(row)
    if len(todo) > _MOST:
        with st.expander(f"{len(todo) - _MOST} more"):
            for row in todo.iloc[_MOST:].itertuples():
                _line(row)


def _line(row) -> None:
    icon = ":material/error:" if row.level == "problem" else ":material/info:"
    if row.page == "home":
        st.caption(f"{icon} {literal(row.text)}")
        return
    if row.page in _NEEDS and not current_actor().may(_NEEDS[row.page]):
        st.caption(f"{icon} {literal(row.subject)} {literal(row.text)}")
        return
    known = _OBJECTS.get(row.page)
    params = {} if known is None or pd.isna(row.object_id) else {known: int(row.object_id)}
    params |= _PARTS.get(row.kind, {})
    with st.container(gap=None):
        link(row.page, literal(row.subject), icon=icon, **params)
        st.caption(literal(row.text))
