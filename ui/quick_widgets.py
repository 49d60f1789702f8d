"""Streamlit's widgets without a copy of the whole session for each of them.

Streamlit 1.67 copies all of the session's state for every select box, number, text and date, only to look up
one key in it. On a screen with many widgets that is quadratic: 40 rules took 0.5 s of processor time where
0.25 s are enough (bench/editor.py). Here the copy is made only where somebody really goes through it.
"""

from collections.abc import Iterator, Mapping

from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import SessionState


class _Looked(Mapping):
    """What `SessionState.filtered_state` has, looked up key by key."""

    def __init__(self, state: SessionState):
        self._state = state

    def __getitem__(self, key: str) -> object:
        return self._state[key]

    def __contains__(self, key: object) -> bool:
        return key in self._state

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.filtered_state)

    def __len__(self) -> int:
        return len(self._state.filtered_state)

    def __repr__(self) -> str:
        return repr(self._state.filtered_state)


def install() -> None:
    """Look keys up from now on, in this process."""
    SafeSessionState.filtered_state = property(lambda session: _Looked(session._state))
