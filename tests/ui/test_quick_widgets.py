"""The quick look-up of widgets' values says what Streamlit's own copy of the session's state says."""

import pytest
from streamlit.runtime.state.common import GENERATED_ELEMENT_ID_PREFIX
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1 import AppTest

from ui import quick_widgets


@pytest.fixture
def installed(monkeypatch):
    """Installed for one test."""
    monkeypatch.setattr(SafeSessionState, "filtered_state", SafeSessionState.filtered_state)
    quick_widgets.install()


def test_it_has_the_same_keys_and_values():
    state = SessionState()
    state["name"] = "Ann"
    state["number"] = 3
    state[f"{GENERATED_ELEMENT_ID_PREFIX}-x-None"] = "of a widget without a key"
    quick = quick_widgets._Looked(state)
    assert dict(quick) == state.filtered_state == {"name": "Ann", "number": 3}
    assert len(quick) == 2
    assert quick["name"] == "Ann"
    assert "name" in quick
    assert "other" not in quick
    assert quick.get("other") is None
    with pytest.raises(KeyError):
        quick["other"]


def _script():
    import streamlit as st

    st.session_state.setdefault("city", "Bonn")
    st.selectbox("City", ["Berlin", "Bonn"], key="city")
    st.number_input("Number", value=1, key="number")
    st.text(f"{st.session_state['city']} {st.session_state['number']} {len(st.session_state)}")


def test_widgets_keep_what_was_set_and_what_was_typed(installed):
    app = AppTest.from_function(_script).run()
    assert app.text[0].value == "Bonn 1 2"
    app.selectbox[0].set_value("Berlin").run()
    app.number_input[0].set_value(7).run()
    assert app.text[0].value == "Berlin 7 2"
