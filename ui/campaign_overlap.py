"""How the messages of one week fall on people: how many each gets, and which campaigns share theirs."""

from datetime import date

import streamlit as st
from pandas import DataFrame

from ma import clock
from ma.analytics import campaign_calendar
from ma.analytics import overlap as analytics
from ma.analytics.contactable import FREQUENCY_CAP, FREQUENCY_DAYS
from ma.analytics.overlap import Overlap
from ma.charts import overlap as charts
from ma.text import whole_number
from ma.types import Actor, Channel, Permission
from ui import campaign_calendar as calendar
from ui import kpi, picture, tables
from ui.export import export_button
from ui.links import here
from ui.session import now, reading, workspace

MOST_DRAFTS = 20
# The list of campaigns, in pixels: it stands beside the picture.
_TALLEST = 430
# On a phone the matrix keeps its size and scrolls: names, and a cell for each campaign.
_NAMES, _CELL = 250, 42
_LOOK = """
<style>
.st-key-overlap-scroll {{ overflow-x: auto; }}
.st-key-overlap-scroll > div:has(.st-key-overlap-pairs) {{ min-width: {width}px; }}
.st-key-overlap-pairs {{ min-width: {width}px; }}
</style>
"""


def draw(actor: Actor) -> None:
    """Draw the week that the address names (`?day=2026-03-02&drafts=3,7`), the present one without."""
    as_of, place = now(), workspace()
    today = clock.local_day(as_of, place.timezone)
    start, end = calendar.bounds(calendar.asked_day(today), calendar.WEEK)
    with st.container(horizontal=True, vertical_alignment="center"):
        calendar.steps(start, end, today)
    with reading() as session:
        waiting = campaign_calendar.undated(session)
    drafts = _drafts(waiting) if end > today else []
    with st.spinner("Counting everybody's messages …"), reading() as session:
        found = analytics.overlap(session, as_of=as_of, week=start, drafts=drafts)
    if not found.messages:
        _nothing(actor, start, end, len(waiting) if end > today else 0)
        return
    asked = {"week": start, "drafts": drafts or None}
    _cards(found, place.currency)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        _distribution(found, asked)
    with right, st.container(border=True, height="stretch"):
        _campaigns(found, asked)
    if len(found.campaigns) > 1:
        with st.container(border=True):
            _matrix(found, asked)
    with st.container(border=True):
        _people(found, asked)
    st.caption(
        f"As of now, days in {place.timezone}, without deleted customers. To come: waves still waiting, "
        "scheduled campaigns and the chosen drafts (as if launched when the week begins, or now), each to "
        "its segment's present members who agreed to the channel, have an address and did not leave it, "
        f"without those left out and the holdout. The limit is {FREQUENCY_CAP} messages within any "
        f"{FREQUENCY_DAYS} days: those of the week before count too. Campaigns known only as totals are not "
        "counted."
    )


def _drafts(waiting: DataFrame) -> list[int]:
    """The drafts that the address names, and the field that changes it."""
    names = dict(zip(waiting["campaign_id"].tolist(), waiting["name"], strict=True))
    asked = [whole_number(part) for part in st.query_params.get("drafts", "").split(",")]
    given = list(dict.fromkeys(one for one in asked if one in names))[:MOST_DRAFTS]
    if "overlap-drafts" not in st.session_state or st.session_state.get("overlap-address") != given:
        st.session_state["overlap-drafts"] = given
        st.session_state["overlap-address"] = given
    if not names:
        return []

    def changed() -> None:
        ids = [one for one in st.session_state["overlap-drafts"] if isinstance(one, int)]
        st.session_state["overlap-address"] = ids
        if ids:
            st.query_params["drafts"] = ",".join(map(str, ids))
        else:
            st.query_params.pop("drafts", None)

    st.multiselect(
        "And if these drafts went out too",
        list(names),
        format_func=lambda one: names.get(one, ""),
        max_selections=MOST_DRAFTS,
        placeholder="Choose drafts",
        key="overlap-drafts",
        on_change=changed,
    )
    return [one for one in st.session_state["overlap-drafts"] if one in names]


def _nothing(actor: Actor, start: date, end: date, drafts: int) -> None:
    more = " Choose drafts above to see whom they would reach together." if drafts else ""
    st.info(
        f"**Nobody gets a message in the week {calendar.words(start, end)}.** As soon as campaigns are sent "
        f"or scheduled in it, you see here how many messages each person gets.{more}",
        icon=":material/join:",
    )
    if actor.may(Permission.EDIT_CAMPAIGNS):
        here("Plan a campaign", icon=":material/add:", id="new")


def _cards(found: Overlap, currency: str) -> None:
    several = int(found.distribution.loc[found.distribution["messages"] > 1, "people"].sum())
    with st.grid(columns=4, border=True, min_column_width=150):
        kpi.card(
            "People reached",
            found.reached,
            "people",
            currency=currency,
            help=f"Of {found.customers:,} customers; the others get nothing in this week.",
        )
        kpi.card("Messages", found.messages, "people", currency=currency)
        kpi.card(
            "Get two or more",
            several / found.reached,
            "rate",
            currency=currency,
            help=f"{several:,} people ÷ people reached.",
        )
        kpi.card(
            "Would hit the limit",
            found.capped,
            "people",
            currency=currency,
            help=f"People whom the limit of {FREQUENCY_CAP} messages in {FREQUENCY_DAYS} days would take "
            f"{found.dropped:,} of these messages from.",
        )


def _head(title: str, note: str, name: str, asked: dict) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}** :gray[{note}]")
        st.space("stretch")
        export_button(name, **asked)


def _distribution(found: Overlap, asked: dict) -> None:
    _head("Messages per person", "share of all reached", "overlap_distribution", asked)
    figure = charts.distribution(found.distribution, cap=FREQUENCY_CAP)
    picture.chart(figure, key="overlap-distribution")
    if found.capped:
        messages = f"{found.dropped:,} message{'' if found.dropped == 1 else 's'}"
        st.caption(
            f":material/front_hand: Striped: {found.capped:,} people would lose {messages} to the limit when "
            "the campaigns go out in their order. Move one to another week, or leave people out of it."
        )
    else:
        st.caption(":material/check: The limit would take a message from nobody.")


def _campaigns(found: Overlap, asked: dict) -> None:
    _head("Campaigns of the week", "select one to open it", "overlap_campaigns", asked)
    frame = found.campaigns
    # Where all are sent, or all to come, these say nothing new.
    parts = ["sent", "to_come"] if frame["sent"].any() and frame["to_come"].any() else []
    event = st.dataframe(
        frame.assign(
            channel=frame["channel"].map(lambda channel: Channel(channel).label),
            number=range(1, len(frame) + 1),
        )[["number", "campaign", "people", "capped", *parts, "channel"]],
        hide_index=True,
        height=min(35 * (len(frame) + 1) + 3, _TALLEST),
        on_select="rerun",
        selection_mode="single-row",
        key=f"overlap-campaigns-{found.week}",
        column_config={
            "number": st.column_config.NumberColumn("", width=30),
            "campaign": st.column_config.TextColumn("Campaign", width=150),
            "people": tables.count("People"),
            "capped": tables.count("Lost", help="Lost to the limit, of those to come"),
            "sent": tables.count("Sent"),
            "to_come": tables.count("To come"),
            "channel": "Channel",
        },
    )
    if event.selection.rows:
        campaign_id = int(frame.iloc[event.selection.rows[0]]["campaign_id"])
        st.query_params.from_dict({"id": str(campaign_id)})
        st.rerun()


def _matrix(found: Overlap, asked: dict) -> None:
    _head("People two campaigns share", "and their share of the smaller one's", "overlap_pairs", asked)
    columns = min(len(found.campaigns), charts.MOST_CAMPAIGNS)
    st.html(_LOOK.format(width=max(620, _NAMES + _CELL * columns)))
    with st.container(key="overlap-scroll"), st.container(key="overlap-pairs"):
        figure = charts.matrix(found.pairs, found.campaigns)
        picture.chart(figure, key="overlap-matrix")
    more = len(found.campaigns) - charts.MOST_CAMPAIGNS
    rest = f" The {charts.MOST_CAMPAIGNS} largest; {more:,} more are in the export." if more > 0 else ""
    st.caption(f"On the diagonal each campaign's own people.{rest}")


def _people(found: Overlap, asked: dict) -> None:
    _head(
        "People with the most messages", f"{len(found.people)} of {found.reached:,}", "overlap_people", asked
    )
    frame = found.people
    st.dataframe(
        frame.assign(profile=[f"/customers?id={one}" for one in frame["customer_id"]])[
            ["name", "messages", "capped", "profile", "email", "campaigns"]
        ],
        hide_index=True,
        height=35 * (len(frame) + 1) + 3,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Name", pinned=True),
            "email": "E-mail",
            "messages": tables.count("Messages"),
            "capped": tables.count("Lost", help="Lost to the limit"),
            "campaigns": st.column_config.TextColumn("Campaigns", width="large"),
            "profile": st.column_config.LinkColumn("Profile", display_text="Open", width="small"),
        },
    )
