"""The audit log: who did what with which object, and when."""

from datetime import date, datetime, timedelta

import pandas as pd
import streamlit as st

from ma import clock
from ma.analytics import audit_log as analytics
from ui import tables
from ui.export import export_button
from ui.paging import Paging
from ui.session import now, reading, workspace

_ROWS = 100
_PERIODS = {"1": "Today", "7": "7 days", "28": "28 days", "364": "52 weeks", "all": "All time"}


def draw() -> None:
    """Draw the filters and what they find."""
    as_of, timezone = now(), workspace().timezone
    with reading() as session:
        words = analytics.audit_words(session, as_of=as_of)
    if not words["who"]:
        st.info("**Nothing was done yet.** Every change is listed here with who made it.")
        return
    chosen = _filters(words, as_of, timezone)
    with reading() as session:
        count = analytics.audit_count(session, as_of=as_of, **chosen)
        view = "-".join(str(value) for value in chosen.values())
        paging = Paging("page", count, _ROWS, view=f"audit-{view}", in_address=True)
        frame = analytics.audit_log(session, as_of=as_of, **chosen, limit=_ROWS, offset=paging.offset)
    if frame.empty:
        st.caption("Nothing like that was done in this time. Choose a longer one, or fewer filters.")
        return
    _table(frame)
    paging.draw()
    entries = "entry" if count == 1 else "entries"
    st.caption(
        f"{count:,} {entries}, the latest first · as of {as_of:%d %b %Y, %H:%M} UTC · ids, counts and "
        "names of fields only, never personal data"
    )


def _filters(words: dict[str, list[str]], as_of: datetime, timezone: str) -> dict:
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit-filters"):
        days = st.segmented_control(
            "When",
            list(_PERIODS),
            format_func=_PERIODS.get,
            default="28",
            key="since",
            bind="query-params",
            required=True,
            width="content",
        )
        who = _one("Who", "Everybody", words["who"], "actor")
        action = _one("Did", "Anything", words["action"], "did")
        noun = _one("With", "Any object", words["noun"], "with")
        object_id = st.text_input(
            "Object's id",
            max_chars=100,
            placeholder="Any",
            key="object",
            bind="query-params",
            width=100,
        )
        st.space("stretch")
        chosen = {
            "who": who,
            "action": action,
            "noun": noun,
            "object_id": (object_id or "").replace("\0", "").strip() or None,
            "start": None if days == "all" else _first(int(days), as_of, timezone),
        }
        export_button("audit_log", **chosen)
    return chosen


def _one(label: str, every: str, options: list[str], key: str) -> str | None:
    chosen = st.selectbox(label, [every, *options], key=key, bind="query-params", width=130)
    return chosen if chosen in options else None


def _first(days: int, as_of: datetime, timezone: str) -> date:
    return clock.local_day(as_of, timezone) - timedelta(days=days - 1)


def _table(frame: pd.DataFrame) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="–",
        height=min(35 * len(frame) + 38, 720),
        column_config={
            "at": tables.moment("When"),
            "who": "Who",
            "action": "Did",
            "noun": "With",
            "object_id": st.column_config.TextColumn("Id", width="small"),
            "detail": st.column_config.TextColumn("Details", width="large"),
        },
    )
