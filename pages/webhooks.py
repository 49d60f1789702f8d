"""Webhooks: other systems that are told of events, and how that goes."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import webhook_list, webhook_view
from ui.page import page

actor = page("Webhooks", Permission.MANAGE_WORKSPACE)

wanted = whole_number(st.query_params.get("id", ""))
if wanted is None:
    webhook_list.draw(actor)
else:
    webhook_view.draw(actor, wanted)
