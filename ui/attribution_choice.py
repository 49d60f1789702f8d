"""What the attribution screen is asked, kept in the address so that a view can be sent to a colleague."""

from dataclasses import dataclass
from datetime import date

import streamlit as st

from ma.analytics.touches import CONVERSIONS, LEVELS, TOUCHES, USUAL_HALF_LIFE, USUAL_WINDOW, Question
from ui.period import period

FIGURES = {"conversions": "Conversions", "revenue_minor": "Revenue"}
_WINDOWS = {"1": "1 day", **{str(days): f"{days} days" for days in (7, 14, 30, 60, 90, 180)}}
_HALF_LIVES = {"1": "1 day", **{str(days): f"{days} days" for days in (3, 7, 14, 30)}}


@dataclass(frozen=True)
class Choice:
    """One question to the data, and the figure that the screen shows of it."""

    question: Question
    figure: str

    @property
    def params(self) -> dict[str, object]:
        """What both frames are exported with."""
        asked = self.question
        return {
            "start": asked.start,
            "end": asked.end,
            "level": asked.level,
            "conversion": asked.conversion,
            "touch": asked.touch,
            "window_days": asked.window_days,
        }

    @property
    def window(self) -> str:
        """The look-back window in words: 30 days."""
        return _WINDOWS[str(self.question.window_days)]


def draw(kinds: list[str]) -> Choice:
    """Draw the choices in a row; `kinds` are the keys of CONVERSIONS that this workspace has."""
    with st.container(horizontal=True, vertical_alignment="center"):
        start, end = period(key="credit-days")
        level = _one("Credit of", LEVELS, "channel", "credit-level")
        figure = _one("Shared out", FIGURES, "conversions", "credit-of")
        with st.popover("What counts", icon=":material/tune:", key="credit-counts"):
            question = _counting(kinds, start, end, level)
    return Choice(question, figure)


def _counting(kinds: list[str], start: date, end: date, level: str) -> Question:
    conversion = _radio("A conversion is", {name: CONVERSIONS[name] for name in kinds}, "credit-conversion")
    touch = _radio(
        "A touch is",
        TOUCHES,
        "credit-touch",
        "Where a channel cannot see opens (direct mail, SMS), a message that arrived is a touch either way.",
    )
    window = _days(
        "Messages of how long before",
        _WINDOWS,
        USUAL_WINDOW,
        "credit-window",
        "The look-back window: older messages get no credit.",
    )
    half_life = _days(
        "Time decay halves the credit every",
        _HALF_LIVES,
        USUAL_HALF_LIFE,
        "credit-half-life",
        "Only for the model of that name.",
    )
    return Question(
        start=start,
        end=end,
        level=level,
        conversion=conversion,
        touch=touch,
        window_days=window,
        half_life_days=half_life,
    )


def _one(label: str, options: dict[str, str], usual: str, key: str) -> str:
    chosen = st.segmented_control(
        label,
        list(options),
        format_func=options.get,
        default=usual,
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen if chosen in options else usual


def _radio(label: str, options: dict[str, str], key: str, help: str | None = None) -> str:
    usual = next(iter(options))
    chosen = st.radio(label, list(options), format_func=options.get, key=key, bind="query-params", help=help)
    return chosen if chosen in options else usual


def _days(label: str, options: dict[str, str], usual: int, key: str, help: str) -> int:
    chosen = st.selectbox(
        label,
        list(options),
        index=list(options).index(str(usual)),
        format_func=options.get,
        key=key,
        bind="query-params",
        help=help,
    )
    return int(chosen) if chosen in options else usual
