"""The calendar of campaigns: what went out and what will, by week or month, in the workspace's time zone."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import streamlit as st
from pandas import DataFrame, Timestamp

from ma import clock
from ma.analytics import campaign_calendar as analytics
from ma.charts import campaign_calendar as charts
from ma.charts import theme
from ma.types import Actor, Channel, Permission
from ui import picture, tables
from ui.export import export_button
from ui.links import here
from ui.session import now, reading, workspace
from ui.text import literal

# As the address has them, too.
WEEK, MONTH = "Week", "Month"
KINDS = {"sent": "Sent", "planned": "Planned", "scheduled": "Scheduled"}
MOST_DRAFTS, MOST_LISTED = 12, 60
_SEVEN_DAYS = timedelta(days=7)
# A picture of a month has no room on a phone: there the days come as a list.
_LOOK = """
<style>
@media (max-width: 640px) { .st-key-calendar-picture { display: none; } }
@media (min-width: 641px) { .st-key-calendar-list { display: none; } }
.st-key-calendar-list { gap: 0.4rem; }
</style>
"""


def draw(actor: Actor) -> None:
    """Draw the days that the address names (`?span=Week&day=2026-03-02`), today's month without."""
    as_of, place = now(), workspace()
    today = clock.local_day(as_of, place.timezone)
    st.html(_LOOK)
    with st.container(horizontal=True, vertical_alignment="center"):
        span = st.segmented_control(
            "Days shown",
            [WEEK, MONTH],
            default=MONTH,
            key="span",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        start, end = bounds(asked_day(today), span or MONTH)
        steps(start, end, today)
        st.space("stretch")
        export_button("campaign_calendar", start=start, end=end)
    with st.spinner("Looking up the campaigns …"), reading() as session:
        frame = analytics.campaign_calendar(session, as_of=as_of, start=start, end=end)
        drafts = analytics.undated(session)
    if frame.empty:
        _nothing(actor, start, end)
    else:
        _picture(frame, start, end, as_of.astimezone(ZoneInfo(place.timezone)))
        _by_day(frame, start, end, today)
        _explained(frame, place.timezone)
    _drafts(drafts)


# Days in the address, for this view and the overlap


def asked_day(today: date) -> date:
    """The day that the address names; today where it names none that can be shown."""
    try:
        day = date.fromisoformat(st.query_params.get("day", ""))
    except ValueError:
        return today
    return day if 1970 <= day.year < 2200 else today


def bounds(day: date, span: str) -> tuple[date, date]:
    """The first day of the week (Monday) or month that a day lies in, and of the next one."""
    if span == WEEK:
        start = day - timedelta(days=day.weekday())
        return start, start + _SEVEN_DAYS
    start = day.replace(day=1)
    return start, (start + timedelta(days=31)).replace(day=1)


def steps(start: date, end: date, today: date) -> None:
    """The buttons to the days before, to today's and to those after, and the days in words."""

    def go(day: date) -> None:
        st.query_params["day"] = day.isoformat()

    span = MONTH if end - start > _SEVEN_DAYS else WEEK
    before, _ = bounds(start - timedelta(days=1), span)
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
        st.button(
            "Earlier",
            icon=":material/chevron_left:",
            key="days-before",
            on_click=go,
            args=(before,),
        )
        st.button("Today", key="days-today", on_click=go, args=(today,), disabled=start <= today < end)
        st.button(
            "Later", icon=":material/chevron_right:", icon_position="right", key="days-after", on_click=go,
            args=(end,),
        )  # fmt: skip
        st.markdown(f"**{words(start, end)}**", width="content")


def words(start: date, end: date) -> str:
    """A week or month in words: "2 – 8 March 2026", "March 2026"."""
    last = end - timedelta(days=1)
    if end - start > _SEVEN_DAYS:
        return f"{start:%B %Y}"
    month = "" if start.month == last.month else f" {start:%B}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day}{month}{year} – {last.day} {last:%B %Y}"


# Parts


def _nothing(actor: Actor, start: date, end: date) -> None:
    st.info(
        f"**Nothing goes out in {words(start, end)}.** Campaigns appear here on the days on which they are "
        "sent, and once they are scheduled.",
        icon=":material/calendar_month:",
    )
    if actor.may(Permission.EDIT_CAMPAIGNS):
        here("Plan a campaign", icon=":material/add:", id="new")


def _picture(frame: DataFrame, start: date, end: date, moment) -> None:
    with st.container(key="calendar-picture"):
        _legend(frame)
        event = picture.chart(
            charts.calendar(frame, start=start, end=end, now=moment),
            on_select="rerun",
            selection_mode="points",
            key=f"calendar-{start}-{end}",
        )
        if event.selection.points:
            chosen = event.selection.points[0].get("customdata") or {}
            # The browser sends a list's places as names.
            first = chosen.get("0") if isinstance(chosen, dict) else chosen[0]
            if first is not None:
                _open(int(first))
                st.rerun()
        with st.expander("Day by day, as a table"):
            _table(frame[_inside(frame, start, end)])


def _legend(frame: DataFrame) -> None:
    channels = [channel for channel in Channel if (frame["channel"] == channel).any()]
    marks = [
        f'<span style="color:{theme.CHANNEL_COLOURS[channel]}">■</span> {channel.label}'
        for channel in channels
    ]
    marks += [f"{charts.STATUS_SIGNS[status]} {status}" for status in dict.fromkeys(frame["status"])]
    marks += ["solid: sent", "striped: planned", "dotted: scheduled", "pale: conversions count"]
    st.html(f'<div style="font-size:0.85rem;opacity:0.8">{" &nbsp;·&nbsp; ".join(marks)}</div>')


def _table(frame: DataFrame) -> None:
    st.dataframe(
        frame.assign(
            channel=frame["channel"].map(lambda channel: Channel(channel).label),
            status=frame["status"].str.capitalize(),
            kind=frame["kind"].map(KINDS),
        )[["day", "name", "channel", "status", "kind", "people", "window_ends"]],
        hide_index=True,
        column_config={
            "day": tables.day("Day"),
            "name": st.column_config.TextColumn("Campaign", width="large"),
            "channel": "Channel",
            "status": "Status",
            "kind": "What",
            "people": tables.count("People"),
            "window_ends": tables.day("Conversions count until"),
        },
    )


def _by_day(frame: DataFrame, start: date, end: date, today: date) -> None:
    """The list for narrow screens."""
    shown = frame[_inside(frame, start, end)]
    with st.container(key="calendar-list"):
        for day, group in shown.head(MOST_LISTED).groupby("day"):
            is_today = ", today" if day.date() == today else ""
            st.markdown(f"**{day:%A} {day.day} {day:%B}**{is_today}")
            for row in group.itertuples():
                label = f"{charts.STATUS_SIGNS.get(row.status, '')} {literal(row.name)}"
                key = f"day-{day:%Y%m%d}-{row.campaign_id}-{row.kind}"
                st.button(label, key=key, on_click=_open, args=(row.campaign_id,), width="stretch")
                st.caption(f"{Channel(row.channel).label}, {KINDS[row.kind].lower()}: {row.people:,} people")
        if shown.empty:
            st.caption("Nothing goes out on these days; earlier campaigns still work.")
        if len(shown) > MOST_LISTED:
            st.caption(f"{len(shown) - MOST_LISTED:,} more are in the export.")


def _explained(frame: DataFrame, timezone: str) -> None:
    parts = [f"Days in {timezone}."]
    if (frame["kind"] == "planned").any():
        parts.append(
            "Planned: people assigned to waves to come; a paused campaign sends none until it goes on."
        )
    if (frame["kind"] == "scheduled").any():
        parts.append(
            "Scheduled: the segment's present members who may be contacted, without the holdout and before "
            "the frequency limit; the launch refreshes the segment."
        )
    st.caption(" ".join([*parts, "Select a block to open its campaign."]))


def _drafts(drafts: DataFrame) -> None:
    if drafts.empty:
        return
    st.markdown(f"**Drafts without a day** :gray[{len(drafts):,}]")
    with st.container(horizontal=True):
        for row in drafts.head(MOST_DRAFTS).itertuples():
            st.button(
                f"{charts.STATUS_SIGNS['draft']} {literal(row.name)}",
                key=f"draft-{row.campaign_id}",
                help=f"{Channel(row.channel).label}, to {literal(row.segment or '–')}",
                on_click=_open,
                args=(row.campaign_id,),
            )
    if len(drafts) > MOST_DRAFTS:
        st.caption(f"The last changed are shown; {len(drafts) - MOST_DRAFTS:,} more are in the list.")


def _inside(frame: DataFrame, start: date, end: date):
    return (frame["day"] >= Timestamp(start)) & (frame["day"] < Timestamp(end))


def _open(campaign_id: int) -> None:
    st.query_params.from_dict({"id": str(campaign_id)})
