"""Links between pages."""

import streamlit as st

from ma.settings import ROOT


def link(name: str, label: str, *, icon: str = ":material/arrow_forward:", **params: object) -> None:
    """A link to another page of the app, by its file name, with parameters for its address."""
    query = {key: str(value) for key, value in params.items() if value is not None}
    st.page_link(str(ROOT / "pages" / f"{name}.py"), label=label, icon=icon, query_params=query or None)


def go(name: str, **params: object) -> None:
    """Leave for another page of the app, by its file name."""
    query = {key: str(value) for key, value in params.items() if value is not None}
    st.switch_page(str(ROOT / "pages" / f"{name}.py"), query_params=query or None)
