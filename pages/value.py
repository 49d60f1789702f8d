"""Customer value: what customers are expected to bring, RFM segments, the model behind it, and what-if."""

import streamlit as st

from ma.types import Permission
from ui import value_base, value_kept, value_model, value_rfm, value_status, value_what_if
from ui.page import page
from ui.session import now, workspace

actor = page(
    "Customer value",
    Permission.READ,
    subtitle="What customers are expected to bring over the next 12 months, and who is about to be lost.",
)

place, as_of = workspace(), now()
model = value_kept.newest()
if model is None:
    value_status.nothing_yet(actor, as_of)
    st.stop()
opened = value_status.tabs()
with opened.place:
    value_status.warn(model, opened.name)
    if opened.name == "value":
        value_base.draw(actor, model, currency=place.currency, as_of=as_of)
    elif opened.name == "rfm":
        value_rfm.draw(actor, model, currency=place.currency, as_of=as_of)
    elif opened.name == "model":
        value_model.draw(actor, model, currency=place.currency, as_of=as_of)
    else:
        value_what_if.draw(model, currency=place.currency, as_of=as_of)
