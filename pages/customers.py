"""Customers: find, add, and open one."""

import streamlit as st

from ma.errors import NotFound
from ma.text import whole_number
from ma.types import Permission
from ui import customer_list, customer_view
from ui.page import page
from ui.text import literal

actor = page("Customers", Permission.READ)


def close_customer() -> None:
    """Go back to the list, with the search it had."""
    for name in ("id", "tab"):
        st.query_params.pop(name, None)


wanted = st.query_params.get("id")
if wanted is None:
    customer_list.show(actor)
    st.stop()
st.button("All customers", icon=":material/arrow_back:", type="tertiary", on_click=close_customer)
try:
    customer_id = whole_number(wanted, digits=18)
    if customer_id is None:
        raise NotFound("The address names no customer.")
    customer_view.show(actor, customer_id)
except NotFound as error:
    st.error(f"{literal(error)} Choose one from the list of all customers.", icon=":material/person_off:")
