"""The guard that every page, callback and fragment passes."""

from streamlit.testing.v1 import AppTest

from ma import clock
from ma.services import auth


def guarded():
    import streamlit as st

    from ma.types import Permission
    from ui.page import page

    actor = page("Segments", Permission.EDIT_SEGMENTS, subtitle="Who belongs together")
    st.write(f"secret for {actor.username}")


def with_callback():
    import streamlit as st

    from ma.types import Permission
    from ui import session
    from ui.page import current_actor, page

    if session.signed_in() is None:
        st.write("sign-in form")
        st.stop()

    def save():
        st.session_state.saved_by = current_actor().username

    page("Save", Permission.READ)
    st.button("Save", on_click=save)


def test_nobody_sees_nothing_of_a_page(workbench, act_as):
    act_as(None)
    screen = AppTest.from_function(guarded, default_timeout=30).run()
    assert [warning.value for warning in screen.warning] == [
        "Your session has ended. Reload the page to sign in."
    ]
    assert not screen.title
    assert not screen.markdown


def test_a_role_without_the_permission_reads_why(act_as):
    act_as("viewer")
    screen = AppTest.from_function(guarded, default_timeout=30).run()
    assert "Ask an admin for the role marketer." in screen.error[0].value
    assert not screen.markdown


def test_a_permitted_person_gets_title_and_page(act_as):
    act_as("marketer")
    screen = AppTest.from_function(guarded, default_timeout=30).run()
    assert screen.title[0].value == "Segments"
    assert screen.markdown[0].value == "secret for marketer"


def test_a_callback_of_an_ended_session_changes_nothing_and_the_sign_in_form_comes(workbench, act_as):
    bearer = act_as("marketer")
    screen = AppTest.from_function(with_callback, default_timeout=30).run()
    with workbench.writing() as session:
        auth.end_session(session, bearer, at=clock.now())
    screen.button[0].click().run()
    assert "saved_by" not in screen.session_state
    assert [text.value for text in screen.markdown] == ["sign-in form"]


def test_a_callback_of_a_running_session_works(act_as):
    act_as("marketer")
    screen = AppTest.from_function(with_callback, default_timeout=30).run()
    screen.button[0].click().run()
    assert screen.session_state.saved_by == "marketer"
