"""Segments: the list, a new one, several compared, and one segment with its people and its rule."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import segment_compare, segment_editor, segment_list, segment_view
from ui.links import here
from ui.page import page

wanted = st.query_params.get("id", "")
compared = "compare" in st.query_params
titles = {"new": "New segment"} if not compared else {"": "Compare segments"}
actor = page(titles.get(wanted, "Segments"), Permission.READ)

if wanted == "new":
    segment_editor.create(actor)
elif wanted:
    segment_id = whole_number(wanted)
    if segment_id is None:
        st.error("The address names no segment. Choose one from the list.", icon=":material/error:")
        here("All segments", icon=":material/arrow_back:")
    else:
        segment_view.show(actor, segment_id)
elif compared:
    here("All segments", icon=":material/arrow_back:")
    segment_compare.draw(actor)
else:
    segment_list.draw(actor)
