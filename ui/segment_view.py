"""One segment: who is in it, and its rule under work."""

from collections.abc import Callable
from datetime import datetime, timedelta

import streamlit as st
from pandas import NaT

from ma.analytics import segments as analytics
from ma.analytics.segments import SegmentInfo
from ma.errors import NotFound
from ma.money import unit
from ma.rules.check import parse
from ma.rules.fields import FIELDS
from ma.rules.nodes import Node
from ma.rules.to_english import english
from ma.services import segments
from ma.types import Actor, Permission
from ui import rule_editor, rule_tree, static_list, tables
from ui.errors import shown
from ui.export import export_button
from ui.links import here, link
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

PAGE_SIZE = 25
PREVIEW = 12
EVERYBODY = {"field": "orders", "operator": "gte", "value": 0}
EMPTY_RULE = {"all": [{"field": "orders", "operator": "gte", "value": 1}]}
# On a wide screen the count and the sentence stay in sight while a long rule is scrolled.
_STICKY = """<style>@media (min-width: 700px) {
[data-testid="stLayoutWrapper"]:has(> .st-key-rule-preview) { position: sticky; top: 3.6rem; z-index: 20; }
.st-key-rule-preview { backdrop-filter: blur(24px); max-height: 40vh; overflow-y: auto; }
}</style>"""
COLUMNS = ["name", "email", "city", "orders", "spend", "last_order_at", "engagement"]


def templates(currency: str) -> dict[str, tuple[str, dict]]:
    """Rules to start from: name -> (what it is for, the rule)."""
    major = unit(currency)
    recent = {"field": "last_order", "operator": "in_last", "value": 1, "unit": "month"}
    return {
        "Loyal": (
            "They buy often and were here recently: thank them, ask them to bring a friend.",
            {"all": [{"field": "orders", "operator": "gte", "value": 24}, recent]},
        ),
        "Lapsed": (
            "They used to buy and have stopped: win them back.",
            {
                "all": [
                    {"field": "orders", "operator": "gte", "value": 3},
                    recent | {"operator": "more_than_ago", "value": 2},
                ]
            },
        ),
        "Big spenders": (
            "They have spent the most so far: look after them.",
            {"all": [{"field": "lifetime_value", "operator": "gte", "value": 3000 * major}]},
        ),
        "Everybody": (
            "All customers, to begin with.",
            {"all": [EVERYBODY]},
        ),
    }


def starter(may_edit: bool) -> None:
    """The screen of a workspace without segments: what a segment is, and rules to start from."""
    st.info(
        "**No segments yet.** A segment is a group of customers described by a rule, such as everybody who "
        "bought in the last month. Campaigns are sent to segments.",
        icon=":material/filter_alt:",
    )
    if not may_edit:
        st.caption("Your role reads segments. A marketer can build the first one.")
        return
    place, as_of = workspace(), now()
    st.subheader("Start from one of these", anchor=False)
    with st.grid(columns=3, border=True, min_column_width=240):
        for name, (purpose, rule) in list(templates(place.currency).items())[:3]:
            with st.container(height="stretch"):
                with reading() as session:
                    audience = analytics.audience(session, rule, as_of=as_of)
                st.markdown(f"**{name}**  \n{purpose}")
                st.caption(literal(english(parse(rule), currency=place.currency)))
                st.markdown(f"**{audience.people:,}** :gray[of {audience.everybody:,} customers]")
                here(f"Start from {name.lower()}", id="new", template=name)
    here("Start with an empty rule", icon=":material/add:", id="new")


def create(actor: Actor) -> None:
    """Draw the form of a new segment; saving it opens the segment."""
    here("All segments", icon=":material/arrow_back:")
    if not actor.may(Permission.EDIT_SEGMENTS):
        st.error("Your role may read segments but not create them. Ask an admin for the role marketer.")
        return
    starts = templates(workspace().currency)
    given = st.query_params.get("template")
    # Not bound to the address by Streamlit: a bound parameter cannot be cleared when the segment is saved.
    name = st.pills(
        "Start from", list(starts), default=given if given in starts else None, key="template-choice"
    )
    if name:
        st.query_params["template"] = name
    else:
        st.query_params.pop("template", None)
    _, rule = starts.get(name, ("", EMPTY_RULE))

    def save(session, actor: Actor, at: datetime, **values) -> int:
        return segments.create_segment(session, actor, at=at, **values)

    rule_tree.open_with(f"new {name}", rule)
    _work_on(f"new {name}", name=name or "", label="Save segment", save=save)


def show(actor: Actor, segment_id: int) -> None:
    """Draw one segment, or its editor when the address asks for it."""
    here("All segments", icon=":material/arrow_back:")
    try:
        with reading() as session:
            segment = analytics.segment(session, segment_id)
    except NotFound as error:
        st.warning(str(error), icon=":material/search_off:")
        return
    if st.query_params.get("edit") == "yes" and not segment.static and actor.may(Permission.EDIT_SEGMENTS):
        _edit(segment)
    else:
        _overview(actor, segment)


def ago(moment: datetime | None, at: datetime) -> str:
    """How long ago: "just now", "5 minutes ago", "3 days ago"; "never" without a moment."""
    if moment is None or moment is NaT:
        return "never"
    for name, length in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if (number := (at - moment) // length) >= 1:
            return f"{number:,} {name}{'' if number == 1 else 's'} ago"
    return "just now"


# The segment as it is


def _overview(actor: Actor, segment: SegmentInfo) -> None:
    place, as_of = workspace(), now()
    with reading() as session:
        campaigns = analytics.used_by(session, segment.segment_id)
        history = analytics.size_history(session, as_of=as_of, segment_id=segment.segment_id)
        everybody = analytics.count(session, EVERYBODY, as_of=as_of)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(segment.name), anchor=False, width="content")
        if segment.stale:
            st.badge("Changed since the last refresh", icon=":material/update:", color="orange")
        st.space("stretch")
        if actor.may(Permission.EDIT_SEGMENTS):
            _actions(segment, list(campaigns["name"]))
        export_button("segment_members", segment_id=segment.segment_id)
    if segment.description:
        st.text(segment.description)
    with st.container(border=True):
        if segment.static:
            st.markdown(f"**{analytics.STATIC}** :gray[People are put on it and taken off by hand.]")
        else:
            st.text(english(parse(segment.rule), currency=place.currency))
    _cards(segment, history, everybody, as_of)
    _members(actor, segment, as_of, place.currency)
    if len(campaigns):
        st.subheader("Campaigns that use it", anchor=False)
        for campaign in campaigns.itertuples():
            words = f"{literal(campaign.name)} ({campaign.status})"
            link("campaigns", words, icon=":material/campaign:", id=campaign.campaign_id)


def _cards(segment: SegmentInfo, history, everybody: int, as_of: datetime) -> None:
    sizes = [int(size) for size in history["size"]]
    with st.grid(columns=3, border=True, min_column_width=190):
        st.metric(
            "Customers",
            "–" if segment.size is None else f"{segment.size:,}",
            f"{sizes[-1] - sizes[-2]:+,}" if len(sizes) > 1 else None,
            delta_color="off",
            delta_description=f"since the {'change' if segment.static else 'refresh'} before"
            if len(sizes) > 1
            else None,
            chart_data=sizes if len(sizes) > 2 else None,
            chart_type="area",
            height="stretch",
        )
        st.metric(
            "Share of all customers",
            "–"
            if segment.size is None or not everybody
            else f"{segment.size / everybody:.1%}".replace("%", " %"),
            height="stretch",
        )
        last = history.iloc[-1] if len(history) else None
        st.metric(
            "Last change" if segment.static else "Last refresh",
            ago(segment.refreshed_at, as_of),
            None if last is None else f"{last.entered:,} entered, {last.left:,} left",
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )


def _actions(segment: SegmentInfo, campaigns: list[str]) -> None:
    if segment.static:
        static_list.actions(segment)
    elif st.button("Edit rule", type="primary", icon=":material/edit:", key="edit"):
        st.query_params["edit"] = "yes"
        st.rerun()
    if st.button("Refresh", icon=":material/refresh:", key="refresh", help="Find who belongs to it now"):
        with shown() as attempt, writing() as session:
            refresh = segments.refresh_segment(session, current_actor(), segment.segment_id, at=now())
        if attempt.ok:
            st.toast(
                f"{refresh.size:,} customers: {refresh.entered:,} entered, {refresh.left:,} left.",
                icon=":material/check:",
            )
            st.rerun()
    with st.popover("Delete", icon=":material/delete:", key="delete"):
        if campaigns:
            named = ", ".join(literal(name) for name in campaigns[:5])
            more = f" and {len(campaigns) - 5:,} more" if len(campaigns) > 5 else ""
            st.markdown(f"It cannot be deleted because campaigns use it: {named}{more}.")
            return
        lost = "Its list of people" if segment.static else "Its rule, its list of people"
        st.markdown(f"{lost} and its history of sizes will be lost. No customer is deleted.")
        if st.button(
            "Delete segment", type="primary", icon=":material/delete_forever:", key="delete-for-good"
        ):
            with shown() as attempt, writing() as session:
                segments.delete_segment(
                    session, current_actor(), segment.segment_id, version=segment.version, at=now()
                )
            if attempt.ok:
                st.toast("The segment is deleted.", icon=":material/check:")
                st.query_params.clear()
                st.rerun()


def _members(actor: Actor, segment: SegmentInfo, as_of: datetime, currency: str) -> None:
    with reading() as session:
        count = analytics.member_count(session, as_of=as_of, segment_id=segment.segment_id)
        pages = max(1, -(-count // PAGE_SIZE))
        number = min(max(st.session_state.get("members-page", 1), 1), pages)
        people = analytics.members(
            session,
            as_of=as_of,
            segment_id=segment.segment_id,
            sort="name",
            limit=PAGE_SIZE,
            offset=(number - 1) * PAGE_SIZE,
        )
    st.subheader("People", anchor=False)
    if not count:
        st.caption("Nobody is on it yet." if segment.static else "Nobody was in it at the last refresh.")
        return
    may_remove = segment.static and actor.may(Permission.EDIT_SEGMENTS)
    chosen = _table(people, currency, [*COLUMNS, "entered_at"], may_choose=may_remove)
    if may_remove:
        static_list.remove_button(segment, people["customer_id"].iloc[chosen].tolist())
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="members-page")
        when = "last change" if segment.static else "last refresh"
        st.caption(f"{count:,} people, as of the {when} ({ago(segment.refreshed_at, as_of)})")


def _table(people, currency: str, columns: list[str], *, may_choose: bool = False) -> list[int]:
    """Draw people; the rows that were chosen among them."""
    choosing = {"on_select": "rerun", "selection_mode": "multi-row", "key": "members"} if may_choose else {}
    drawn = st.dataframe(
        tables.major(people, ["spend_minor"], currency=currency)[columns],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Name", pinned=True),
            "email": "E-mail",
            "city": "City",
            "orders": tables.count("Orders"),
            "spend": tables.money("Spend", currency),
            "last_order_at": tables.moment("Last order"),
            "engagement": st.column_config.NumberColumn("Engagement", format="%.0f"),
            "entered_at": tables.moment("In it since"),
        },
        **choosing,
    )
    return list(drawn.selection.rows) if may_choose else []


# The rule under work


def _edit(segment: SegmentInfo) -> None:
    token = f"segment {segment.segment_id}"
    version = rule_tree.open_with(token, segment.rule, version=segment.version)

    def save(session, actor: Actor, at: datetime, **values) -> int:
        segments.update_segment(session, actor, segment.segment_id, version=version, at=at, **values)
        return segment.segment_id

    if version != segment.version:
        st.warning(
            "This segment was changed by somebody else since you opened it, so that yours cannot be saved.",
            icon=":material/group:",
        )
        if st.button("Drop mine and load the saved one", key="reload"):
            rule_tree.close()
            st.rerun()
    _work_on(
        f"{token} version {version}",
        name=segment.name,
        description=segment.description,
        label="Save changes",
        save=save,
        back_to=segment.segment_id,
    )


def _work_on(
    token: str,
    *,
    name: str,
    label: str,
    save: Callable,
    description: str = "",
    back_to: int | None = None,
) -> None:
    """Draw name, description, rule and preview; what is saved is refreshed in the same transaction."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name",
            name,
            max_chars=segments.LONGEST_NAME,
            placeholder="Loyal customers",
            key=f"name-{token}",
            width=280,
        )
        description = st.text_input(
            "Description",
            description,
            max_chars=segments.LONGEST_DESCRIPTION,
            placeholder="What it is for (optional)",
            key=f"description-{token}",
            width="stretch",
        )
        if st.button("Cancel", type="tertiary", key="cancel"):
            _leave_editor(back_to)
        asked_to_save = st.button(label, type="primary", icon=":material/save:", key="save")
    # What goes wrong while saving is told here, above the rule.
    told = st.container()
    _rule_and_preview()
    if not asked_to_save:
        return
    if not rule_tree.is_finished():
        told.error("The rule is not finished: correct what is marked in red.", icon=":material/error:")
        return
    actor, at = current_actor(), now()
    with told, shown() as attempt, writing() as session:
        values = {"name": name, "description": description, "rule": rule_tree.rule()}
        segment_id = save(session, actor, at, **values)
        refresh = segments.refresh_segment(session, actor, segment_id, at=at)
    if attempt.ok:
        changes = f"{refresh.entered:,} entered, {refresh.left:,} left"
        st.toast(f"Saved. {refresh.size:,} customers: {changes}.", icon=":material/check:")
        _leave_editor(segment_id)


@st.fragment
def _rule_and_preview() -> None:
    current_actor()
    st.html(_STICKY)
    currency, as_of = workspace().currency, now()
    finished = rule_tree.is_finished()
    with st.container(border=True, key="rule-preview", horizontal=True, vertical_alignment="center"):
        if finished:
            _preview(parse(rule_tree.rule()), currency, as_of)
        else:
            st.metric("Customers chosen", "–", width=200)
            st.markdown("Finish what is marked in red to see whom the rule chooses.")
    rule_editor.draw(currency)
    if finished:
        with reading() as session:
            people = analytics.people(session, rule_tree.rule(), as_of=as_of, limit=PREVIEW)
        if len(people):
            _table(people, currency, COLUMNS)
            st.caption(f"The first {len(people)} by name, as of now. Save to keep the whole list.")


def _preview(rule: Node, currency: str, as_of: datetime) -> None:
    with reading() as session:
        audience = analytics.audience(session, rule, as_of=as_of)
    share = audience.people / audience.everybody if audience.everybody else 0.0
    with st.container(width=200, gap="xsmall"):
        st.metric("Customers chosen", f"{audience.people:,}")
        st.progress(share)
        st.caption(f"{audience.people:,} of {audience.everybody:,} customers · {share * 100:.1f} %")
    with st.container(width="stretch", gap="xsmall"):
        st.text(english(rule, currency=currency))
        if audience.unsure:
            lacking = ", ".join(f"{FIELDS[name].label} ({people:,})" for name, people in audience.unknown[:4])
            st.caption(
                f":material/help: {audience.unsure:,} more might belong, but what decides it is unknown: "
                f"{lacking}."
            )


def _leave_editor(segment_id: int | None) -> None:
    rule_tree.close()
    st.query_params.clear()
    if segment_id is not None:
        st.query_params["id"] = str(segment_id)
    st.rerun()
