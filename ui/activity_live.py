"""What goes on between the modules right now, drawn again every two seconds without the page around it."""

import pandas as pd
import streamlit as st

from ma.analytics import activity as analytics
from ma.charts import activity as charts
from ma.events.messages import MESSAGES
from ma.settings import settings
from ui import tables
from ui.activity_words import MODULES, STATES, event, span
from ui.export import export_button
from ui.page import current_actor
from ui.picture import chart
from ui.session import now, reading, workspace
from ui.text import literal

EVERY_SECONDS = 2.0
_MINUTES = 60
_ROWS = 50


def draw() -> None:
    """Draw the choices that stay, and under them what changes."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="live-choices"):
        types = st.multiselect(
            "Events",
            list(MESSAGES),
            format_func=event,
            placeholder="All events",
            key="types",
            bind="query-params",
            width="stretch",
        )
        live = st.toggle("Live", value=True, key="live", help="Off: the screen stands still.")
        export_button("activity", types=types or None)
    st.fragment(_live, run_every=EVERY_SECONDS if live else None)(tuple(types))


def _live(types: tuple[str, ...]) -> None:
    current_actor()
    as_of, timezone = now(), workspace().timezone
    with reading() as session:
        backlog = analytics.backlog(session, as_of=as_of)
        subscribers = analytics.subscribers(session, as_of=as_of)
        minutes = analytics.throughput(session, as_of=as_of, minutes=_MINUTES)
        feed = analytics.activity(session, as_of=as_of, types=types, limit=_ROWS)
    _cards(backlog, subscribers)
    _trouble(backlog)
    with st.container(border=True):
        st.markdown("**Events acted on**, in each minute of the last hour")
        chart(charts.throughput(minutes, timezone=timezone), key="throughput")
    with st.container(border=True):
        _subscribers(subscribers)
    _feed(feed, bool(types))


def _cards(backlog: pd.DataFrame, subscribers: pd.DataFrame) -> None:
    with st.grid(columns=4, border=True, min_column_width=150):
        waiting, oldest = int(backlog["waiting"].sum()), backlog["oldest_seconds"].max()
        _card(
            "Waiting to be sent",
            f"{waiting:,}",
            f"the oldest for {span(oldest)}" if waiting else "nothing waits",
            "Events that are recorded and not sent yet. Nothing of them is lost.",
        )
        last = subscribers.sort_values("behind").iloc[-1]
        behind = int(last["behind"])
        _card(
            "Not acted on yet",
            f"{behind:,}",
            f"by {MODULES[last['subscriber']]}, for {span(last['lag_seconds'])}"
            if behind
            else "nobody is behind",
            "Of the subscriber that is furthest behind: events for it that it has not acted on yet.",
        )
        rate = float(subscribers["per_minute"].sum())
        _card(
            "Acted on per minute",
            f"{rate:,.1f}" if rate < 10 else f"{rate:,.0f}",
            "in the last five minutes",
            "By all subscribers together: an event that two of them listen to counts twice.",
        )
        parked, failing = int(subscribers["parked"].sum()), int(subscribers["failing"].sum())
        _card(
            "Failed for good",
            f"{parked:,}",
            f"{failing:,} tried again by themselves" if failing else "none tried again",
            "Events that a subscriber could not act on five times: see Failed events.",
        )


def _card(label: str, value: str, words: str, help: str) -> None:
    st.metric(label, value, words, delta_color="off", delta_arrow="off", help=help, height="stretch")


def _trouble(backlog: pd.DataFrame) -> None:
    stuck = backlog[backlog["stuck"] > 0]
    if stuck.empty:
        return
    errors = stuck["last_error"].dropna()
    why = f" {literal(errors.iloc[0])}" if len(errors) else ""
    st.warning(
        f"{int(stuck['stuck'].sum()):,} events could not be sent yet; they are tried again every few "
        f"seconds, and nothing is lost.{why}",
        icon=":material/cloud_off:",
    )


def _subscribers(frame: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Subscribers**, and how far each of them is", width="content")
        st.space("stretch")
        export_button("event_subscribers")
    shown = frame.assign(
        name=frame["subscriber"].map(MODULES),
        lag=[span(row.lag_seconds) if row.behind else "–" for row in frame.itertuples()],
        took=[span(ms / 1_000) for ms in frame["latency_ms"]],
        last=[event(name) if isinstance(name, str) else None for name in frame["last_type"]],
    )
    columns = ["name", "behind", "lag", "took", "last_at", "last", "failing", "parked"]
    st.dataframe(
        shown[[*columns, "position"] if shown["position"].notna().any() else columns],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Module", pinned=True),
            "behind": tables.count("Behind", help="Events that it has not acted on yet."),
            "lag": st.column_config.TextColumn("Lag", help="Since the oldest of them was recorded."),
            "took": st.column_config.TextColumn(
                "Takes", help="From the change to its effect here: the median of the last 200 events."
            ),
            "last_at": st.column_config.DatetimeColumn(
                "Last acted", format="D MMM, HH:mm:ss", timezone=workspace().timezone
            ),
            "last": st.column_config.TextColumn("Last event", width=130),
            "position": st.column_config.TextColumn("Position", help="Of that event, in the stream."),
            "failing": tables.count("Retried", help="Failed, and tried again by themselves."),
            "parked": tables.count("Failed", help="For good: they wait for somebody to decide."),
        },
    )
    over = "over Redis" if settings().redis_url else "inside this app (MA_REDIS_URL is not set)"
    st.caption(f"Events go from module to module {over}.")


def _feed(frame: pd.DataFrame, chosen: bool) -> None:
    st.markdown("**Latest events**")
    if frame.empty:
        st.caption(
            "No event of these types in the last days."
            if chosen
            else "No events yet. Every change of customers, segments and campaigns is told to other modules."
        )
        return
    shown = frame.assign(
        what=frame["type"].map(event),
        who=frame["source"].map(MODULES),
        how=frame["state"].map(STATES),
    )
    st.dataframe(
        shown[["recorded_at", "who", "what", "about", "how", "event_id"]],
        hide_index=True,
        placeholder="–",
        height=min(35 * len(shown) + 38, 563),
        column_config={
            "recorded_at": st.column_config.DatetimeColumn(
                "Recorded", format="D MMM, HH:mm:ss", timezone=workspace().timezone
            ),
            "who": "By",
            "what": st.column_config.TextColumn("Event", width="medium"),
            "about": st.column_config.TextColumn("About", width="large"),
            "how": "State",
            "event_id": st.column_config.TextColumn("Id", width="small"),
        },
    )
    st.caption(
        f"The latest {len(frame):,}, in real time whatever the demo clock says · an event that everybody has "
        "is kept for 7 days"
    )
