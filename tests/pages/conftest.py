"""Pages without a server: one page among the others, with the database of the test behind it."""

import pytest
from streamlit.testing.v1 import AppTest

from ma.db.engine import connect
from tests.ui.conftest import act_as, token, workbench  # noqa: F401
from ui import kept


def _one_page(name):
    import streamlit as st

    from ma.settings import ROOT

    others = [path for path in sorted((ROOT / "pages").glob("*.py")) if path.stem not in (name, "login")]
    pages = [st.Page(ROOT / "pages" / f"{name}.py", default=True), *map(st.Page, others)]
    st.navigation(pages, position="hidden").run()


@pytest.fixture(autouse=True)
def nothing_kept():
    """Each test works out anew what the screens keep."""
    kept.forget()


@pytest.fixture
def database(sqlite_url):
    """The screens are the same on every database; SQLite is quick to copy."""
    database = connect(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def screen():
    """`screen("customers", id="5")` runs a page with these parameters in its address."""

    def run(name, **params):
        test = AppTest.from_function(_one_page, args=(name,), default_timeout=60)
        for key, value in params.items():
            test.query_params[key] = value
        return test.run()

    return run
