"""Users: who may sign in, what they may do, and when they were here last."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import user_list, user_view
from ui.page import page

actor = page("Users", Permission.MANAGE_USERS)

wanted = whole_number(st.query_params.get("id", ""))
if wanted is None:
    user_list.draw(actor)
else:
    user_view.draw(actor, wanted)
