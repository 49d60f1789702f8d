"""A secret that is shown once: in the dialog that made it, until that is closed."""

from dataclasses import dataclass

import streamlit as st

_KEY = "shown-once"


@dataclass(frozen=True)
class Secret:
    """What was made, what to say of it, and the secret itself."""

    words: str
    text: str


def keep(words: str, text: str) -> None:
    """Keep a secret for the next run of this dialog."""
    st.session_state[_KEY] = Secret(words, text)


def drawn() -> bool:
    """Draw the secret that this dialog has just made, with the way out; False where there is none."""
    made = st.session_state.get(_KEY)
    if made is None:
        return False
    st.success(made.words, icon=":material/check:")
    st.code(made.text, language=None, wrap_lines=True)
    st.caption("Copy it now and keep it where secrets are kept. It cannot be shown again.")
    if st.button("I have copied it", type="primary", icon=":material/check:", key="secret-copied"):
        forget()
        st.rerun()
    return True


def forget() -> None:
    """The dialog was closed, or is opened anew."""
    st.session_state.pop(_KEY, None)
