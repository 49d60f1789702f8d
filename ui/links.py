"""Links between pages."""

import streamlit as st

from ma.settings import ROOT


def link(name: str, label: str, *, icon: str = ":material/arrow_forward:", **params: object) -> None:
    """A link to another page of the app, by its file name, with parameters for its address."""
    query = {key: str(value) for key, value in params.items() if value is not None}
    st.page_link(str(ROOT / "pages" / f"{name}.py"), label=label, icon=icon, query_params=query or None)


def here(label: str, *, icon: str = ":material/arrow_forward:", **params: object) -> None:
    """A link to another view of the same page.

    A button, because st.page_link to the page one is on leaves the address as it was, and the next click
    on that view would fall back to the old one (seen in 1.67).
    """
    key = "here-" + "-".join([label, *(f"{k}-{v}" for k, v in params.items())])
    if st.button(label, icon=icon, type="tertiary", key=key):
        st.query_params.from_dict({name: str(value) for name, value in params.items()})
        st.rerun()
