"""Errors in callbacks and fragments, where no `shown()` stands around."""

import json
import logging
import runpy
from pathlib import Path

import pytest
from streamlit import error_util
from streamlit.testing.v1 import AppTest

from ui import server

ROOT = Path(__file__).resolve().parents[2]


def screen():
    import streamlit as st

    from ma.errors import Conflict
    from ui.errors import shown

    def fail():
        raise Conflict("Somebody launched it.")

    @st.fragment
    def part():
        raise ValueError("anna@example.com")

    st.button("Launch", on_click=fail)
    if st.session_state.get("with_fragment"):
        with shown():
            part()


@pytest.fixture
def app(monkeypatch):
    """The screen with the handler of the app that is served."""
    monkeypatch.setattr(server, "require_ready", lambda: None)
    handler = runpy.run_path(str(ROOT / "app.py"))["app"]._on_script_error
    original = error_util.invoke_script_error_handler
    monkeypatch.setattr(
        error_util, "invoke_script_error_handler", lambda error, _handler: original(error, handler)
    )
    return AppTest.from_function(screen, default_timeout=30)


def test_a_callback_that_is_refused_says_why(app):
    app.run().button[0].click().run()
    assert [error.value for error in app.error] == [r"Somebody launched it\."]
    assert not app.exception


def test_a_fragment_that_fails_is_told_once(app, caplog):
    app.session_state.with_fragment = True
    with caplog.at_level(logging.ERROR, logger="ma.errors"):
        app.run()
    ours = [record for record in caplog.records if record.name == "ma.errors"]
    assert len(ours) == len(app.error) == 1
    assert json.loads(ours[0].message)["reference"] in app.error[0].value
