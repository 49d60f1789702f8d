"""Activity: what the modules tell each other, what failed, and who did what."""

import streamlit as st

from ma.types import Permission
from ui import activity_audit, activity_failed, activity_live
from ui.page import page

actor = page(
    "Activity",
    Permission.READ,
    subtitle="What the modules tell each other, what could not be acted on, and who did what.",
)

LIVE, FAILED, AUDIT = "Events", "Failed events", "Audit log"
view = st.segmented_control(
    "View",
    (LIVE, FAILED, AUDIT),
    default=LIVE,
    key="activity",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
if view == FAILED:
    activity_failed.draw(actor)
elif view == AUDIT:
    activity_audit.draw()
else:
    activity_live.draw()
